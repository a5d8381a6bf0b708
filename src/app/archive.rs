//! What the Hub asks of things that are outside, answered by the store, the stored procedures and the files.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ctigate_proto::auth::grant::Grant;
use ctigate_proto::auth::{Attempt, Identity, LoginError};
use ctigate_proto::hub::OLD_PASSWORD_IS_WRONG;
use ctigate_proto::hub::archive::{Fetch, FetchResult, Fetched};
use ctigate_proto::message::{CallError, Code};

use crate::engine;
use crate::files::{Files, PhotoError};
use crate::store::{Accounts, ChangeError, Failed, Procedures, Store, StoreError};

/// Passwords and keys are checked by the store's accounts.
impl engine::Accounts for Accounts {
    fn verify<'a>(
        &'a self,
        attempt: &'a Attempt,
    ) -> Pin<Box<dyn Future<Output = Result<Identity, LoginError>> + Send + 'a>> {
        Box::pin(Self::verify(self, attempt))
    }

    fn grant(&self, key: &str) -> Option<Grant> {
        Some(self.keys().find(key, super::unix_ms())?.grant())
    }
}

/// Everything that answers.
pub(super) struct Archive {
    pub(super) store: Arc<Store>,
    pub(super) accounts: Accounts,
    pub(super) procedures: Arc<ArcSwap<Procedures>>,
    pub(super) files: Files,
}

impl engine::Archive for Archive {
    fn fetch(&self, fetch: Fetch) -> Pin<Box<dyn Future<Output = FetchResult> + Send + '_>> {
        Box::pin(self.answer(fetch))
    }
}

impl Archive {
    async fn answer(&self, fetch: Fetch) -> FetchResult {
        Ok(match fetch {
            Fetch::Journal(query) => {
                Fetched::Journal(self.store.journal(&query).await.map_err(|why| unreadable(&why))?)
            }
            Fetch::Call(call) => {
                Fetched::Call(self.store.call(&call).await.map_err(|why| unreadable(&why))?.map(Box::new))
            }
            Fetch::Recording { link } => {
                Fetched::Recording(self.store.recording(&link).await.map_err(|why| unreadable(&why))?)
            }
            Fetch::Texts { chat, before, limit } => {
                Fetched::Texts(self.store.texts(&chat, before.as_deref(), limit).await.map_err(|why| unreadable(&why))?)
            }
            Fetch::Text { chat, message } => {
                Fetched::Texts(self.store.text(&chat, &message).await.map_err(|why| unreadable(&why))?)
            }
            Fetch::Procedure { name, input } => match self.procedures.load_full().run(&name, &input).await {
                Ok(tables) => Fetched::Tables(tables),
                Err(Failed::Unknown) => return Err(Code::ProcedureNotAllowed.into()),
                Err(slow @ Failed::Slow(_)) => return Err(CallError::new(Code::Timeout, slow.to_string())),
                Err(why @ (Failed::Large(_) | Failed::Unfit(_))) => {
                    return Err(CallError::new(Code::BadRequest, why.to_string()));
                }
                Err(Failed::Database(why)) => {
                    // What the database says is for the operator: it may name what is not for everybody.
                    tracing::error!(procedure = %name, %why, "a stored procedure failed");
                    return Err(CallError::new(Code::Internal, "the procedure failed"));
                }
            },
            Fetch::Password { login, old, new } => match self.accounts.change(&self.store, &login, &old, &new).await {
                Ok(()) => Fetched::Done,
                Err(ChangeError::WrongPassword) => return Err(CallError::bare(OLD_PASSWORD_IS_WRONG)),
                Err(why) => {
                    tracing::error!(user = %login, %why, "a password could not be changed");
                    return Err(CallError::new(Code::Internal, "the password could not be changed"));
                }
            },
            Fetch::Photo { file, old } => match self.files.photo(&file, old).await {
                Ok(photo) => Fetched::Photo(photo),
                Err(PhotoError::Unfit(why)) => {
                    return Err(CallError::new(Code::BadRequest, format!("filepath: {why}")));
                }
                Err(PhotoError::Failed(why)) => {
                    tracing::error!(%why, "a photo could not be made");
                    return Err(CallError::new(Code::Internal, "the photo could not be made"));
                }
            },
        })
    }
}

/// What whoever wanted something of the store is told when it cannot be read.
pub(super) fn unreadable(why: &StoreError) -> CallError {
    tracing::error!(%why, "the store could not be read");
    CallError::new(Code::Internal, "the store could not be read")
}
