//! The people of the configuration as stored procedures see them (`users_v1`). Written anew at each start.

use ctigate_proto::message::Text;

use super::sql::sql;
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
        let mut transaction = self.db.begin().await?;
        transaction.run(sql("DELETE FROM person")).await?;
        for p in people {
            let put = "INSERT INTO person (login, id, name, number, department, role) VALUES ($1, $2, $3, $4, $5, $6)";
            let put = sql(put).bind(&p.login).bind(&p.id).bind(&p.name);
            transaction.run(put.bind(&p.number).bind(&p.department).bind(&p.role)).await?;
        }
        transaction.commit().await
    }
}
