//! People, their numbers, photos, and the state they are in.

use crate::message::Text;

use super::define::{Right, call, event, messages, records, reply};

messages! {
    /// Asks who one is.
    GetMyUserInfo: call("getmyuserinfo").by_both().replied("getmyuserinforesult") => {}

    /// Who the caller is.
    GetMyUserInfoResult: reply("getmyuserinforesult").to_both() => {
        /// The number the user works on; empty when there is none.
        mainpbxnumber: Text,
        /// Display name.
        username: Text,
        /// Whether the user has a line.
        hasline: bool,
        /// The line's id; the zero GUID when there is none.
        lineid: Text,
        /// The line's number inside the telephone system; empty when there is none.
        linenumber: Text,
        /// Whether the user works in the call centre.
        isoperator: bool,
    }

    /// Asks for the number plan. A CRM asks for itself, with empty `userid` and `userlogin`.
    GetPbxNumbers: call("getpbxnumbers").by_both().replied("getpbxnumbersresult") => {
        /// `full` is the only value known clients send; others are treated alike.
        mode: Option<Text>,
    }

    /// The number plan.
    GetPbxNumbersResult: reply("getpbxnumbersresult").to_both() => {
        /// Every inside number.
        numbers: Vec<PbxNumber>,
    }

    /// Asks for all users and their numbers.
    GetAllUserNumbers: call("getallusernumbers").by_both().replied("getallusernumbersresult").right(Right::Users) => {
        /// Whether `sub` is wanted. It is always there.
        fillsubordinates: Option<bool>,
    }

    /// All users.
    GetAllUserNumbersResult: reply("getallusernumbersresult").to_both() => {
        /// Every user.
        users: Vec<UserNumbers>,
    }

    /// Asks for everybody's photo.
    GetAllUserPhotoLink: call("getalluserphotolink").by_both().replied("getalluserphotolinkresult").right(Right::Users) => {
        /// `page` is the only value known clients send.
        mode: Option<Text>,
    }

    /// Everybody's photo.
    GetAllUserPhotoLinkResult: reply("getalluserphotolinkresult").to_both() => {
        /// One entry for each user that has a photo.
        links: Vec<PhotoLinks>,
    }

    /// Asks for one's own photo.
    GetUserPhoto: call("getuserphoto").by_both().replied("getuserphotoresult").right(Right::Users) => {
        /// `page` is the only value known clients send.
        mode: Option<Text>,
    }

    /// One's own photo. The links are empty when there is none.
    GetUserPhotoResult: reply("getuserphotoresult").to_both() => {
        /// Path of the picture on the web port.
        link: Text,
        /// Path of the picture at 32 by 32.
        link32x32: Text,
        /// Path of the picture at 96 by 96.
        link96x96: Text,
    }

    /// Makes an uploaded file one's photo.
    SetMyUserPhoto: call("setmyuserphoto").by_both().replied("setmyuserphotoresult").right(Right::Files) => {
        /// The path that this user's own upload returned.
        filepath: Text,
    }

    /// The photo is set.
    SetMyUserPhotoResult: reply("setmyuserphotoresult").to_both() => {}

    /// Asks for one's state.
    GetUserState: call("getuserstate").by_both().replied("getuserstateresult") => {}

    /// The state.
    GetUserStateResult: reply("getuserstateresult").to_both() => {
        ..state: UserState,
    }

    /// Changes one's state. What is absent stays as it is.
    SetUserState: call("setuserstate").by_both().replied("setuserstateresult").right(Right::State) => {
        /// The new state: 1, 2, 3 or 5.
        userstateid: Option<i64>,
        /// Whether to work in the call centre.
        oncallcenter: Option<bool>,
        /// Whether queue calls wait to be taken by hand.
        onccmanual: Option<bool>,
        /// Whether calls go to the redirection number.
        onredirect: Option<bool>,
        /// Why the break, by its id.
        lunchreasonid: Option<i64>,
        /// Why the break, in words.
        lunchreasonmsg: Option<Text>,
    }

    /// The whole state after the change.
    SetUserStateResult: reply("setuserstateresult").to_both() => {
        ..state: UserState,
    }

    /// Asks for the reasons of a break.
    GetLunchTypes: call("cc_getlunchtypes").by_both().replied("cc_getlunchtypesresult") => {}

    /// The reasons of a break.
    GetLunchTypesResult: reply("cc_getlunchtypesresult").to_both() => {
        /// Every reason; the first is taken when a break names none.
        items: Vec<LunchType>,
    }

    /// Begins to work in the call centre: the same as `setuserstate` with `oncallcenter` true.
    EnterCallCenter: call("entercallcenter").by_both().replied("entercallcenterresult").right(Right::State) => {}

    /// Works in the call centre now.
    EnterCallCenterResult: reply("entercallcenterresult").to_both() => {}

    /// Leaves the call centre: the same as `setuserstate` with `oncallcenter` false.
    ExitCallCenter: call("exitcallcenter").by_both().replied("exitcallcenterresult").right(Right::State) => {}

    /// Works in the call centre no more.
    ExitCallCenterResult: reply("exitcallcenterresult").to_both() => {}

    /// A user's state has changed, by whomever or by a call. Goes to that user's tabs alone.
    UserStateChanged: event("userstatechanged").to_both().subscribed() => {
        ..state: UserState,
    }

    /// Inside numbers have changed their state. Goes to everybody.
    PbxNumberStateChanged: event("pbxnumberstatechanged").to_both().subscribed() => {
        /// The numbers that changed.
        numbers: Vec<NumberState>,
    }
}

records! {
    /// An inside number.
    PbxNumber = "pbxnumber" {
        /// The number.
        number: Text,
        /// Its id, a GUID.
        id: Text,
        /// Display name; of its user, if it has one.
        caption: Text,
        /// Its state, a number of the table of user states.
        state: i64,
        /// The department's id; the zero GUID for none.
        departmentid: Text,
        /// The department's name; empty for none.
        department: Text,
    }

    /// A user with the numbers that are theirs.
    UserNumbers = "usernumbers" {
        /// The user's id, a GUID.
        id: Text,
        /// Display name.
        name: Text,
        /// The number they work on; empty when there is none.
        main: Text,
        /// All their numbers.
        nums: Vec<Text>,
        /// 1: the user is a subordinate of the caller, who may listen in then. Else 0.
        sub: i64,
    }

    /// A user's photo, as paths on the web port.
    PhotoLinks = "photolinks" {
        /// The user's id, a GUID.
        id: Text,
        /// The picture.
        link: Text,
        /// The picture at 32 by 32.
        link32x32: Text,
        /// The picture at 96 by 96.
        link96x96: Text,
    }

    /// Reason of a break.
    LunchType = "lunchtype" {
        /// Its id.
        id: i64,
        /// Its name.
        name: Text,
    }

    /// A user's state, whole.
    UserState = "userstate" {
        /// The user's id, a GUID.
        userid: Text,
        /// The user's login.
        userlogin: Text,
        /// The state by its number.
        userstateid: i64,
        /// The same number; one known client reads this name.
        userstate: i64,
        /// The same state by its name.
        userstatestr: Text,
        /// Whether the user works in the call centre.
        oncallcenter: bool,
        /// Whether queue calls wait to be taken by hand.
        onccmanual: bool,
        /// Whether a break is on, also while a call is being finished.
        onlunch: bool,
        /// Whether calls go to the redirection number.
        onredirect: bool,
        /// The reason of the break; 0 for none. Always a number in the states 2 and 5.
        lunchreasonid: Option<i64>,
        /// The reason in words.
        lunchreasonmsg: Option<Text>,
        /// Whether a task of the call centre occupies the user.
        ontask: bool,
    }

    /// The new state of a number.
    NumberState = "numberstate" {
        /// The number.
        num: Text,
        /// Its state.
        numstateid: i64,
    }
}
