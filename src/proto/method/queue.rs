//! Calls that wait.

use crate::message::{Number, Text};

use super::define::{Right, call, messages, records, reply};

messages! {
    /// Asks for the waiting calls that concern oneself. Known clients ask every five seconds.
    GetCurrentQueue: call("getcurrentqueue").by_both().replied("getcurrentqueueresult").right(Right::Queue) => {}

    /// The waiting calls.
    GetCurrentQueueResult: reply("getcurrentqueueresult").to_both() => {
        /// Longest waiting first.
        queue: Vec<QueueItem>,
    }

    /// Asks for all queues.
    GetTotalQueue: call("gettotalqueue").by_both().replied("gettotalqueueresult").right(Right::Queue) => {}

    /// All queues. Here `result` is the data itself; a failure has 0 there, as everywhere.
    GetTotalQueueResult: reply("gettotalqueueresult").to_both().data() => {
        /// One entry for each queue.
        result: Vec<QueueRule>,
    }
}

records! {
    /// A queue with the calls that wait in it.
    QueueRule = "queuerule" {
        /// Id of the number; the zero GUID when it has none.
        numid: Text,
        /// The queue's name.
        rulename: Text,
        /// The queue's id, a GUID.
        ruleid: Text,
        /// The number's prefix; mostly empty.
        numprefix: Text,
        /// The waiting calls, longest waiting first.
        queue: Vec<QueueItem>,
    }

    /// A call that waits.
    QueueItem = "queueitem" {
        /// The call.
        chainid: Text,
        /// Who calls.
        callerid: Text,
        /// Which number was dialled.
        calledid: Option<Text>,
        /// Id of an inside caller.
        userid: Option<Text>,
        /// Name of an inside caller.
        username: Option<Text>,
        /// Whether the caller is inside.
        isuser: bool,
        /// Whether the caller is outside.
        isextline: Option<bool>,
        /// Whether the call belongs to a task.
        istask: bool,
        /// The task's id, a GUID.
        taskid: Option<Text>,
        /// The task's name.
        taskname: Option<Text>,
        /// The task's list.
        tasklistid: Option<i64>,
        /// The task's direction: `incoming` or `outgoing`.
        taskdirection: Option<Text>,
        /// Seconds waited.
        lenqueue: Number,
        /// When it began to wait: `YYYY-MM-DD HH:MM:SS`, local time of the gateway.
        startqueuetime: Option<Text>,
        /// Its priority.
        queuepriority: Option<i64>,
        /// Why it waits, as a number.
        queuesource: Option<i64>,
        /// Why it waits, as a name.
        queuesourcestr: Option<Text>,
        /// The department it is for.
        department: Option<Text>,
        /// What it waits for: id.
        objectid: Option<Text>,
        /// What it waits for: kind as a number.
        objecttype: Option<i64>,
        /// What it waits for: kind as a name.
        objecttypestr: Option<Text>,
        /// The caller's line.
        srclineid: Option<Text>,
        /// The caller's line by its number.
        srclinenumber: Option<Text>,
        /// The element of the scenario it came from.
        srcelementid: Option<Text>,
        /// The line it will get.
        managedlineid: Option<Text>,
        /// The line it will get, by its number.
        managedlinenumber: Option<Text>,
    }
}
