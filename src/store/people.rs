//! The people of the configuration as stored procedures see them (`users_v1`). Written anew at each start.

use ctigate_proto::message::Text;

use super::db::Db;
use super::{Store, StoreError};

/// One person.
#[derive(Clone, Debug, Default)]
pub struct Person {
    /// The login.
    pub login: Text,
    /// `userid`
    pub id: Text,
    /// The display name.
    pub name: Text,
    /// The number; empty: none.
    pub number: Text,
    /// The department; empty: none.
    pub department: Text,
    /// The role, in the word of the configuration.
    pub role: Text,
}

impl Store {
    /// Publishes these people and no others.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn publish(&self, people: &[Person]) -> Result<(), StoreError> {
        let Db::Sqlite { pool, .. } = &self.db;
        let write = async {
            let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
            sqlx::query("DELETE FROM person").execute(&mut *transaction).await?;
            for p in people {
                let sql =
                    "INSERT INTO person (login, id, name, number, department, role) VALUES ($1, $2, $3, $4, $5, $6)";
                let query = sqlx::query(sql).bind(&*p.login).bind(&*p.id).bind(&*p.name);
                query.bind(&*p.number).bind(&*p.department).bind(&*p.role).execute(&mut *transaction).await?;
            }
            transaction.commit().await
        };
        write.await.map_err(|error| self.db.failed(error))
    }
}
