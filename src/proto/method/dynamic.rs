//! Dynamic methods: what a CRM, or a user's tab, does for the gateway.

use crate::message::Text;

use super::Members;
use super::define::{Right, call, choice, event, messages, records, reply};

messages! {
    /// Asks a CRM which methods it offers.
    GetAvailableMethods: call("getavailablemethods").to_link().replied("availablemethods") => {}

    /// The methods of a CRM. Replaces what it said before.
    AvailableMethods: reply("availablemethods").by_link().lax() => {
        /// Every method.
        methods: Vec<Method>,
    }

    /// Runs a dynamic method. The gateway asks a CRM, or a user's tabs (an event there); a tab asks the gateway.
    ExecuteMethod: call("executemethod").by_both().to_both().replied("methodresult").right(Right::Dynamic).subscribed() => {
        /// The execution, a GUID made by the gateway. What a tab sends here is replaced.
        executionid: Option<Text>,
        /// The method's name.
        name | "method" | "methodname": Text,
        /// The input, by names of the declaration.
        inputparameters | "params" | "input": Option<Members>,
        /// Whether a result is waited for; true when absent.
        waitresponse: Option<bool>,
        /// How long it is waited for, in milliseconds.
        waitresponsems: Option<i64>,
        /// The user it is about or directed to; empty for none. What a tab sends here is replaced.
        userid: Option<Text>,
        /// The same user's login. What a tab sends here is replaced.
        userlogin: Option<Text>,
        /// The call it is about; empty for none.
        chainid: Option<Text>,
    }

    /// What a dynamic method gave. Known by `executionid` alone: its `qid` may be new or missing.
    MethodResult: reply("methodresult").by_both().to_both().replied("methodresultresult").lax().right(Right::Dynamic) => {
        /// The execution.
        executionid: Text,
        /// The output, by names of the declaration.
        outputparameters: Option<Members>,
    }

    /// The result was taken. Sent to tabs; a CRM is not told.
    MethodResultResult: reply("methodresultresult").to_both() => {}

    /// The result of an execution is wanted no more. A tab takes back with it what it asked itself.
    CancelMethod: event("cancelmethod").by_both().to_both().replied("cancelmethodresult").subscribed() => {
        /// The execution.
        executionid: Text,
    }

    /// The execution is cancelled. Sent to tabs that cancelled; nobody answers the gateway's own `cancelmethod`.
    CancelMethodResult: reply("cancelmethodresult").to_both().ours() => {}

    /// The caller waits no longer, but a late result is still welcome for a while.
    ExecuteMethodWaitAborted: event("executemethodwaitaborted").to_both().subscribed() => {
        /// The execution.
        executionid: Text,
        /// For how long, in milliseconds.
        waitresponsems: i64,
    }
}

choice! {
    /// Who runs a method.
    Target {
        /// The CRM.
        Server = "server",
        /// The user's tabs.
        Client = "client",
    }

    /// The type of a declared parameter.
    ParamType {
        /// Text.
        String = "string",
        /// An integer.
        Int = "int",
        /// Any number.
        Float = "float",
        /// True or false.
        Bool = "bool",
        /// A string `YYYY-MM-DD HH:MM:SS`.
        Datetime = "datetime",
        /// A string of 32 hex digits with dashes, in any case.
        Guid = "guid",
        /// An object.
        Object = "object",
        /// An array.
        Array = "array",
    }
}

records! {
    /// A method that a CRM offers.
    Method = "method" {
        /// Its name, unique in the CRM.
        name: Text,
        /// What people see.
        caption: Option<Text>,
        /// What it does.
        description: Option<Text>,
        /// Who runs it; `server` when absent.
        target: Option<Target>,
        /// How long a caller that names no deadline waits, in milliseconds: 5000 when absent, at most 60000.
        waitms: Option<i64>,
        /// What it takes.
        inputparameters: Option<Vec<Parameter>>,
        /// What it gives.
        outputparameters: Option<Vec<Parameter>>,
    }

    /// A parameter of a method or form.
    Parameter = "parameter" {
        /// Its name.
        name: Text,
        /// Its type; `string` when absent.
        kind = "type": Option<ParamType>,
        /// What people see.
        caption: Option<Text>,
        /// Whether it must be there; false when absent.
        required: Option<bool>,
    }
}
