//! What many messages carry beside their own parameters: the common fields, and the marks of a failed reply.

use crate::message::{Body, CallError, Code, Part, Qid, Text};

use super::param::read_field;

/// The common parameters. Any message may carry them; a reply repeats those of its call.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// The correlation id, echoed as it was written.
    pub qid: Option<Qid>,
    /// The user it is about or acts for: GUID. May be empty on a link.
    pub userid: Option<Text>,
    /// The same user's login. May be empty on a link.
    pub userlogin: Option<Text>,
    /// The tab behind a link that it comes from or goes to (ctigate).
    pub tabid: Option<Text>,
}

impl Head {
    /// The longest `tabid`, in bytes.
    pub const TABID_MAX: usize = 64;

    /// Reads the common parameters.
    ///
    /// # Errors
    /// 59002 when one of them is no string (a number or boolean counts as one), or `tabid` is longer than 64 bytes.
    pub fn of(body: &Body) -> Result<Self, CallError> {
        let mut head = Self::default();
        for (name, part) in body.iter() {
            match name.as_str() {
                "qid" => head.qid = Some(Qid::of_part(part.clone())),
                "userid" => head.userid = read_field(body, "userid", &[])?,
                "userlogin" => head.userlogin = read_field(body, "userlogin", &[])?,
                "tabid" => head.tabid = read_field(body, "tabid", &[])?,
                _ => {}
            }
        }
        if let Some(long) = head.tabid.as_ref().filter(|tabid| tabid.len() > Self::TABID_MAX) {
            let detail = format!("tabid: found {} bytes, expected at most {}", long.len(), Self::TABID_MAX);
            return Err(CallError::new(Code::BadRequest, detail));
        }
        Ok(head)
    }

    /// `body` with the common parameters before its own. One that `body` has already keeps the value it has there.
    pub fn before(self, body: &Body) -> Body {
        let mut whole = Body::new();
        let common = [
            ("qid", self.qid.map(Part::from)),
            ("userid", self.userid.map(Part::from)),
            ("userlogin", self.userlogin.map(Part::from)),
            ("tabid", self.tabid.map(Part::from)),
        ];
        for (name, part) in common {
            if let Some(part) = part.filter(|_| !body.has(name)) {
                whole.push_new(Text::from_static(name), part);
            }
        }
        for (name, part) in body.iter() {
            whole.push_new(name.clone(), part.clone());
        }
        whole
    }
}

/// What a failed reply says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// `error`, if there is a number.
    pub error: Option<i64>,
    /// `errormsg`; empty when there is none.
    pub errormsg: Text,
}

impl Failure {
    /// The failure that a reply tells, if it is one: `result` is there and is neither 1 nor true. An array or object in its
    /// place (the data of `gettotalqueueresult`) is no failure.
    pub fn of(body: &Body) -> Option<Self> {
        let result = body.get("result")?.open();
        let success = result.as_array().is_some() || result.as_object().is_some() || result.to_bool() == Some(true);
        if success {
            return None;
        }
        Some(Self { error: body.int("error"), errormsg: body.text("errormsg").unwrap_or_default() })
    }

    /// The body of a failed reply: `result` 0, `error` if there is a number, `errormsg`.
    pub fn into_body(self) -> Body {
        Body::new().with("result", 0).with_some("error", self.error).with("errormsg", self.errormsg)
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self { error: error.code.map(Code::number), errormsg: error.errormsg().into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Value;

    #[test]
    fn common_parameters_stand_first_and_never_twice() {
        let head = Head { qid: Some(Qid::ours("7")), userlogin: Some("ivanov".into()), ..Head::default() };
        let body = Body::new().with("result", 1).with("userlogin", "petrov");
        let whole = head.before(&body);
        let names: Vec<_> = whole.iter().map(|(name, _)| name.to_string()).collect();
        assert_eq!(names, ["qid", "result", "userlogin"]);
        assert_eq!(whole.text("userlogin").as_deref(), Some("petrov"));
    }

    #[test]
    fn a_tabid_of_65_bytes_is_refused() {
        let body = Body::new().with("tabid", "x".repeat(65));
        let error = Head::of(&body).unwrap_err();
        assert_eq!(error.errormsg(), "Bad request: tabid: found 65 bytes, expected at most 64");
    }

    #[test]
    fn only_a_false_result_is_a_failure() {
        assert_eq!(Failure::of(&Body::new()), None);
        for good in [Value::from(1), Value::from(true), Value::from("1"), Value::Array(Vec::new())] {
            assert_eq!(Failure::of(&Body::new().with("result", good.clone())), None, "{good:?}");
        }
        let failed = Failure::from(CallError::new(Code::Timeout, "the CRM")).into_body();
        let read = Failure::of(&failed).expect("it is one");
        assert_eq!((read.error, &*read.errormsg), (Some(59011), "Timeout: the CRM"));
    }
}
