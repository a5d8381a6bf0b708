//! Named queries, scripts, and the change of a password.

use crate::message::Text;

use super::define::{Right, call, messages, reply};
use super::{Any, Items, Members, Secret};

messages! {
    /// Runs a stored procedure that the configuration names. Never a query's text.
    ExecStoredProc: call("execpredefineddbstoredproc").by_both().replied("execpredefineddbstoredprocresult") => {
        /// The procedure's name, in any spelling of case.
        procedure: Text,
        /// Its parameters by name, with or without `@` before.
        inputparams: Option<Members>,
    }

    /// What the procedure gave.
    ExecStoredProcResult: reply("execpredefineddbstoredprocresult").to_both() => {
        /// 0. Known clients compare it.
        errorcode: i64,
        /// An array of tables; a table is an array of rows, a row an array of values, the first row the names of the columns.
        dataset: Items,
    }

    /// Runs a script of the telephone system.
    ExecSvcScript: call("execsvcscript").by_both().replied("execsvcscriptresult").right(Right::Procedures) => {
        /// The script's name.
        scriptname: Text,
        /// Its parameters, in order.
        startparams: Option<Items>,
        /// Whether the reply waits for the script's end.
        waitresponse: Option<bool>,
        /// How long it waits, in seconds.
        waittimeoutsec: Option<i64>,
    }

    /// The script was started.
    ExecSvcScriptResult: reply("execsvcscriptresult").to_both() => {
        /// Whether it was started.
        started: bool,
        /// What it returned, when its end was waited for.
        returnvalue: Any,
    }

    /// Changes one's password.
    ChangePassword: call("changepassword").by_both().replied("changepasswordresult") => {
        /// Hash of the new password as typed.
        newpwdmd5: Secret,
        /// Hash of the old password as typed.
        oldpwdmd5: Secret,
        /// The new password, when its strength is to be checked.
        newpwd: Option<Secret>,
    }

    /// The password is changed. The text of a failure known to clients is `old password is wrong`.
    ChangePasswordResult: reply("changepasswordresult").to_both() => {}
}
