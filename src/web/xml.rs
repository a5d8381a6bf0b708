//! The XML of the HTTP commands: named data of property sets.

use ctigate_proto::message::{Object, Value};

/// One document under construction.
#[derive(Debug)]
pub(super) struct Document {
    text: String,
}

impl Document {
    /// The beginning: the name of the data, and how many sets it has.
    pub(super) fn new(data: &str, count: usize) -> Self {
        let mut document = Self { text: "<?xml version=\"1.0\" encoding=\"utf-8\"?>".to_owned() };
        document.text.push_str(&format!(
            "<oktellxmlmapper version=\"80710\"><data name=\"{}\" count=\"{count}\">",
            quoted(data)
        ));
        document
    }

    /// A set of properties.
    pub(super) fn set(&mut self, name: &str, id: Option<&str>, fill: impl FnOnce(&mut Self)) {
        let id = id.map(|id| format!(" id=\"{}\"", quoted(id))).unwrap_or_default();
        self.text.push_str(&format!("<property_set name=\"{}\"{id}>", quoted(name)));
        fill(self);
        self.text.push_str("</property_set>");
    }

    /// A property, with its value in words when there is one.
    pub(super) fn simple(&mut self, key: &str, value: &str, name: Option<&str>) {
        let name = name.map(|name| format!(" name=\"{}\"", quoted(name))).unwrap_or_default();
        self.text.push_str(&format!("<property_simple key=\"{}\" value=\"{}\"{name}/>", quoted(key), quoted(value)));
    }

    /// A property with a long text.
    pub(super) fn long(&mut self, key: &str, value: &str) {
        let plain: String = value.chars().filter(|c| is_allowed(*c)).collect();
        let safe = plain.replace("]]>", "]]]]><![CDATA[>");
        self.text.push_str(&format!("<property_cdata key=\"{}\"><![CDATA[{safe}]]></property_cdata>", quoted(key)));
    }

    /// Everything in an object: scalars as properties, objects and arrays as sets.
    pub(super) fn object(&mut self, object: &Object) {
        for (name, value) in object.iter() {
            match value {
                Value::Object(inner) => self.set(name, None, |d| d.object(inner)),
                Value::Array(items) => {
                    for item in items {
                        match item {
                            Value::Object(inner) => self.set(name, None, |d| d.object(inner)),
                            other => self.simple(name, &other.to_text().unwrap_or_default(), None),
                        }
                    }
                }
                Value::Bool(flag) => self.simple(name, if *flag { "1" } else { "0" }, None),
                other => self.simple(name, &other.to_text().unwrap_or_default(), None),
            }
        }
    }

    /// The whole text.
    pub(super) fn finish(mut self) -> String {
        self.text.push_str("</data></oktellxmlmapper>");
        self.text
    }
}

/// How a command went, when it gives nothing else: 1 for done.
pub(super) fn query_result(code: i64, text: &str) -> String {
    let mut document = Document::new("queryresult", 1);
    document.set("result", None, |d| d.simple("resultcode", &code.to_string(), Some(text)));
    document.finish()
}

/// A text between double quotes. What XML 1.0 cannot hold is left out.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().filter(|c| is_allowed(*c)) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\r' | '\t' => out.push_str(&format!("&#{};", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r') || (c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_cannot_step_out_of_its_place() {
        assert_eq!(quoted("a\"/><x y='&\u{1}\n"), "a&quot;/&gt;&lt;x y='&amp;&#10;");
        let mut document = Document::new("d", 1);
        document.long("k", "x]]><evil/>");
        let text = document.finish();
        assert!(text.contains("<![CDATA[x]]]]><![CDATA[><evil/>]]>"), "{text}");
    }
}
