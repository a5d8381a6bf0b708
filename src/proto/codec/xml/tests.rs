use super::*;

fn read(text: &str) -> Result<Envelope, DecodeError> {
    decode(&Text::from(text), &Limits::default())
}

/// The message as JSON.
fn json(text: &str) -> String {
    json::encode(&read(text).expect(text)).to_string()
}

/// One parameter `p`, of which `attributes` and content are given, as JSON.
fn param(attributes: &str, content: &str) -> Result<String, DecodeError> {
    let message = read(&format!(r#"<message name="m"><param name="p"{attributes}>{content}</param></message>"#))?;
    Ok(json::encode_value(&message.body.value("p").unwrap()).to_string())
}

fn refusal(text: &str) -> (usize, String) {
    let error = read(text).expect_err(text);
    (error.at, error.to_string())
}

#[test]
fn the_message_of_the_specification() {
    let text = Text::from(
        r#"<message name="executemethod">
  <param name="qid">8D7E</param>
  <param name="inputparameters" type="object">
    <param name="phone">79001112233</param>
    <param name="tries" type="int">2</param>
  </param>
  <param name="flags" type="array"><item type="bool">true</item><item type="null"/></param>
</message>"#,
    );
    let message = decode(&text, &Limits::default()).unwrap();
    assert_eq!(
        json::encode(&message),
        r#"["executemethod",{"qid":"8D7E","inputparameters":{"phone":"79001112233","tries":2},"flags":[true,null]}]"#
    );
    let Some(Part::Raw(raw)) = message.body.get("flags") else { panic!("not passed on as it came") };
    assert_eq!(raw.text(), r#"<item type="bool">true</item><item type="null"/>"#);
    let outer = text.as_bytes().as_ptr_range();
    assert!(outer.contains(&raw.text().as_bytes().as_ptr()), "a slice of the text");
    assert_eq!(
        encode(&message),
        r#"<message name="executemethod"><param name="qid">8D7E</param><param name="inputparameters" type="object">
    <param name="phone">79001112233</param>
    <param name="tries" type="int">2</param>
  </param><param name="flags" type="array"><item type="bool">true</item><item type="null"/></param></message>"#
    );
}

#[test]
fn every_type_and_every_empty_element() {
    for (attributes, content, json) in [
        ("", "text", r#""text""#),
        (r#" type="string""#, " kept \n\t", r#"" kept \n\t""#),
        (r#" type="int""#, "-0", "-0"),
        (r#" type="int""#, "123456789012345678901234567890", "123456789012345678901234567890"),
        (r#" type="float""#, "1.10", "1.10"),
        (r#" type="float""#, "1E5", "1E5"),
        (r#" type="float""#, "1", "1"),
        (r#" type="bool""#, "true", "true"),
        (r#" type="bool""#, "false", "false"),
        (r#" type="null""#, "", "null"),
        (r#" type="object""#, "", "{}"),
        (r#" type="array""#, " ", "[]"),
        (
            r#" type="array""#,
            "<item/><item type='object'/><item type='array'/><item type='null'/>",
            r#"["",{},[],null]"#,
        ),
        (r#" type="object""#, "<param name=''/><param name='a b' type='int'>1</param>", r#"{"":"","a b":1}"#),
        (r#" encoding="base64""#, "AA==", r#""\u0000""#),
        (r#" encoding="base64" type="string""#, "", r#""""#),
        (r#" type="array""#, r#"<item encoding="base64">Yg==</item>"#, r#"["b"]"#),
        ("\t\ntype\r=\n'int'  ", "5", "5"),
    ] {
        assert_eq!(param(attributes, content).as_deref(), Ok(json), "{attributes} {content}");
    }
    assert_eq!(json(r#"<message name="m"/>"#), r#"["m",{}]"#);
    assert_eq!(json(r#"<message name=""></message >"#), r#"["",{}]"#);
    assert_eq!(json(r#"<message name64="AA=="><param name64="" type="null"/></message>"#), r#"["\u0000",{"":null}]"#);
}

#[test]
fn references_cdata_comments_and_line_ends_in_text() {
    for (content, json) in [
        ("&lt;&gt;&amp;&apos;&quot;", r#""<>&'\"""#),
        ("a&#13;b&#x0A;&#x1F600;", r#""a\rb\n😀""#),
        ("a\r\nb\rc", r#""a\nb\nc""#),
        ("a<!-- no -->b", r#""ab""#),
        ("a<![CDATA[<&]>]]>b<![CDATA[]]>", r#""a<&]>b""#),
        ("<![CDATA[a\r\nb]]>", r#""a\nb""#),
        ("&amp;lt;", r#""&lt;""#),
        (" ]] > ]>", r#"" ]] > ]>""#),
        ("\u{85}\u{2028}\u{7f}\u{fffd}\u{10ffff}", "\"\u{85}\u{2028}\u{7f}\u{fffd}\u{10ffff}\""),
    ] {
        assert_eq!(param("", content).as_deref(), Ok(json), "{content}");
    }
    assert_eq!(param(r#" type="int""#, "&#49;<!-- -->2").as_deref(), Ok("12"));
    let named = |name: &str| read(&format!("<message name=\"{name}\"/>")).unwrap().name;
    assert_eq!(named("a\tb\nc\r\nd\re"), "a b c d e");
    assert_eq!(named("&#9;&#10;&#13;&lt;&quot;'>"), "\t\n\r<\"'>");
}

#[test]
fn a_fragment_that_cannot_be_passed_on_is_opened() {
    let opened = |content: &str| {
        let text = format!(r#"<message name="m"><param name="p" type="array">{content}</param></message>"#);
        matches!(read(&text).expect(&text).body.get("p"), Some(Part::Value(_)))
    };
    assert!(!opened(" <item>a&amp;&#65;</item> <item type='object'><param name='a'/><param name='A'/></item>"));
    assert!(opened("<!-- --><item/>"));
    assert!(opened("<item>a<!-- --></item>"));
    assert!(opened("<item><![CDATA[a]]></item>"));
    assert!(opened("<item type='object'><param name='a'/><param name='&#97;'/></item>"));
    assert!(opened("<item type='object'><param name='a'/><param name64='YQ=='/></item>"));
    let text = r#"<message name="m"><param name="p" type="object"><param name="a">1</param><param name="b"/><param name="a"><![CDATA[2]]></param></param><param name="q" type="array"><item/></param></message>"#;
    assert_eq!(
        encode(&read(text).unwrap()),
        r#"<message name="m"><param name="p" type="object"><param name="a">2</param><param name="b"/></param><param name="q" type="array"><item/></param></message>"#
    );
    assert!(matches!(read(text).unwrap().body.get("q"), Some(Part::Raw(_))), "only what is odd is written anew");
}

#[test]
fn repeated_names_are_refused_or_the_last_wins() {
    for name in ["qid", "userid", "userlogin", "tabid", "executionid", "formid", "name", "sessionid"] {
        let text = format!(r#"<message name="m"><param name="{name}"/><param name="{name}"/></message>"#);
        let (at, message) = refusal(&text);
        assert_eq!(at, text.rfind("<param").unwrap(), "{message}");
    }
    assert!(read(r#"<message name="m"><param name="qid"/><param name64="cWlk"/></message>"#).is_err());
    assert_eq!(
        json(r#"<message name="m"><param name="a">1</param><param name="b"/><param name="a">2</param></message>"#),
        r#"["m",{"a":"2","b":""}]"#
    );
}

#[test]
fn what_is_no_message_is_refused_at_its_place() {
    for (text, at, what) in [
        ("", 0, "end of text"),
        (" \n", 2, "end of text"),
        ("[]", 0, "`[]`"),
        ("<message name='m'>", 18, "end of text"),
        ("<message name='m'><param name='a'>", 34, "end of text"),
        ("<message name='m'></message", 18, "`syntax error"),
        ("<message name='m'></param>", 18, "`ill-formed"),
        ("<message name='m'/><message name='m'/>", 19, "`<message"),
        ("<message name='m'/> x", 20, "`x`"),
        ("<message name='m'/>&#32;", 19, "`&#32;`"),
        ("<message name='m'/><![CDATA[]]>", 19, "`<![CDATA["),
        ("x<message name='m'/>", 0, "`x`"),
        ("<msg name='m'/>", 0, "element `msg`"),
        ("<Message name='m'/>", 0, "element `Message`"),
        ("<m:message name='m'/>", 0, "element `m:message`"),
        ("<messages/>", 0, "`<messages/>`"),
        ("<message/>", 0, "a `message` without a name"),
        ("<message name='a' name='b'/>", 18, "attribute `name` besides"),
        ("<message name='a' name64='YQ=='/>", 18, "attribute `name64` besides"),
        ("<message name='m' type='object'/>", 18, "attribute `type` of `message`"),
        ("<message name='m' xmlns='x'/>", 18, "attribute `xmlns`"),
        ("<message name='m' xml:lang='x'/>", 18, "attribute `xml:lang`"),
        ("<message name=m/>", 14, "`m`"),
        ("<message name/>", 13, "the end of the tag"),
        ("<message name='a'b='c'/>", 17, "`b`"),
        ("<message name='a<b'/>", 16, "`<`"),
        ("<message name='a&b'/>", 16, "reference `b`"),
        ("<message name='&nbsp;'/>", 15, "reference `nbsp`"),
        ("<message name='&#0;'/>", 15, "reference `#0`"),
        ("<message name64='YQ'/>", 17, "`YQ`"),
        ("<message name64='/w=='/>", 17, "`/w==`"),
        ("<message name='m'>x</message>", 18, "`x`"),
        ("<message name='m'>&#32;</message>", 18, "`&#32;`"),
        ("<message name='m'><![CDATA[ ]]></message>", 18, "`<![CDATA["),
        ("<message name='m'><item/></message>", 18, "element `item`"),
        ("<message name='m'><message name='n'/></message>", 18, "element `message`"),
        ("<message name='m'><?pi x?></message>", 18, "`<?pi x?>`"),
        ("<message name='m'><?xml version='1.0'?></message>", 18, "`<?xml"),
        ("<!DOCTYPE message><message name='m'/>", 0, "`<!DOCTYPE message>`"),
        ("<!DOCTYPE m [<!ENTITY a 'b'>]><message name='&a;'/>", 0, "`<!DOCTYPE"),
        ("<?xml version='1.1'?><message name='m'/>", 6, "`version` = `1.1`"),
        ("<?xml version='1.0' encoding='utf-16'?><message name='m'/>", 20, "`encoding` = `utf-16`"),
        ("<?xml encoding='utf-8' version='1.0'?><message name='m'/>", 6, "`encoding`"),
        ("<?xml version='1.0' standalone='yes' encoding='utf-8'?><message name='m'/>", 37, "`encoding`"),
        ("<?xml ?><message name='m'/>", 0, "`<?xml ?>`"),
        (" <?xml version='1.0'?><message name='m'/>", 1, "`<?xml"),
        ("<?php x?><message name='m'/>", 0, "`<?php"),
        ("<message name='m'><!-- a -- b --></message>", 25, "`ill-formed"),
        ("<message name='m'>\u{1}</message>", 18, "U+0001"),
        ("<message name='m'><!-- \u{ffff} --></message>", 23, "U+FFFF"),
        ("\u{feff}\u{feff}<message name='m'/>", 3, "U+FEFF"),
    ] {
        let (found_at, message) = refusal(text);
        assert!(message.starts_with(what), "{text}: {message}");
        assert_eq!(found_at, at, "{text}: {message}");
    }
}

#[test]
fn what_is_no_value_is_refused() {
    for (attributes, content, what) in [
        (r#" type="int""#, "", "``"),
        (r#" type="int""#, " 1", "` 1`"),
        (r#" type="int""#, "1 ", "`1 `"),
        (r#" type="int""#, "1.0", "`1.0`"),
        (r#" type="int""#, "1e5", "`1e5`"),
        (r#" type="int""#, "01", "`01`"),
        (r#" type="int""#, "+1", "`+1`"),
        (r#" type="float""#, "NaN", "`NaN`"),
        (r#" type="float""#, ".5", "`.5`"),
        (r#" type="bool""#, "1", "`1`"),
        (r#" type="bool""#, "True", "`True`"),
        (r#" type="bool""#, " true", "` true`"),
        (r#" type="null""#, " ", "` `"),
        (r#" type="null""#, "<item/>", "`<item/>`"),
        (r#" type="object""#, "x", "`x`"),
        (r#" type="object""#, "<item/>", "element `item`"),
        (r#" type="array""#, "<param name='a'/>", "element `param`"),
        (r#" type="array""#, "<item name='a'/>", "attribute `name` of `item`"),
        ("", "<item/>", "`<item/>`"),
        ("", "a<b>c</b>", "`<b>`"),
        ("", "a]]>b", "`]]>` in text"),
        ("", "a & b", "`ill-formed"),
        ("", "&undefined;", "reference `undefined`"),
        ("", "&#xD800;", "reference `#xD800`"),
        ("", "&;", "reference ``"),
        (r#" encoding="base64""#, "AA", "`AA`"),
        (r#" encoding="base64""#, "AA==\n", "`AA== `"),
        (r#" encoding="base64""#, "A-_=", "`A-_=`"),
        (r#" encoding="base64""#, "/w==", "`/w==`"),
        (r#" encoding="hex""#, "00", "`hex`"),
        (r#" encoding="base64" type="int""#, "MQ==", "`encoding` on what is no string"),
        (r#" type="integer""#, "1", "`integer`"),
        (r#" type="""#, "1", "``"),
        (r#" type="int" type="int""#, "1", "attribute `type` besides"),
        (r#" foo="bar""#, "1", "attribute `foo` of `param`"),
    ] {
        let error = param(attributes, content).expect_err(content);
        assert!(error.what.starts_with(what), "{attributes} {content}: {error}");
    }
}

#[test]
fn a_declaration_a_mark_and_comments_are_allowed() {
    for prolog in [
        "",
        "\u{feff}",
        "<?xml version=\"1.0\"?>",
        "\u{feff}<?xml version='1.0' encoding='utf-8' standalone='yes'?>\r\n",
        "<?xml version='1.0' standalone='no' ?>",
        "<!-- here -->\n<!---->",
    ] {
        let text = format!("{prolog}<message name='m'/>\n<!-- there -->\n");
        assert_eq!(json(&text), r#"["m",{}]"#, "{prolog}");
    }
    assert_eq!(refusal("\u{feff}<message>").0, 3, "the mark counts as bytes");
}

#[test]
fn nesting_is_counted_before_it_is_entered() {
    let nested = |levels: usize| {
        format!(
            "<message name='m'><param name='a' type='array'>{}{}</param></message>",
            "<item type='array'>".repeat(levels - 1),
            "</item>".repeat(levels - 1)
        )
    };
    assert!(read(&nested(63)).is_ok());
    let (at, message) = refusal(&nested(64));
    assert_eq!(message, format!("nesting of more than 64 levels at byte {at}, expected less nesting"));
    assert_eq!(at, 47 + 62 * 19);
    let limits = Limits { depth: usize::MAX, ..Limits::default() };
    assert!(decode(&nested(MAX_DEPTH - 1).into(), &limits).is_ok());
    assert!(decode(&nested(200_000).into(), &limits).is_err());
}

#[test]
fn a_qid_is_opened_and_may_not_be_long() {
    let of = |content: &str| format!("<message name='m'><param name='qid'>{content}</param></message>");
    assert!(read(&of(&"x".repeat(254))).is_ok());
    assert!(read(&of(&"x".repeat(255))).is_err());
    assert!(read(&of(&"&#x1F600;".repeat(63))).is_ok(), "the JSON text counts");
    let text =
        "<message name='m'><param name='qid' type='object'><param name='a' type='int'>1</param></param></message>";
    assert_eq!(json(text), r#"["m",{"qid":{"a":1}}]"#);
}

#[test]
fn strings_are_written_so_that_they_come_back() {
    let body = Body::new()
        .with("plain", " a\tb\n ")
        .with("marks", "<&>\"'")
        .with("cr", "a\r\n")
        .with("cdata", "]]>")
        .with("nul", "a\0")
        .with("last", "\u{ffff}")
        .with("n\"<>&\t\n\r'", "")
        .with("\u{1}", 1)
        .with("list", vec![Value::from("\u{8}"), Value::Null, Value::from(Object::new()), Value::Array(Vec::new())]);
    let message = Envelope::new("\u{2}", body);
    let text = encode(&message);
    assert_eq!(
        text,
        concat!(
            r#"<message name64="Ag=="><param name="plain"> a"#,
            "\tb\n ",
            r#"</param><param name="marks">&lt;&amp;&gt;"'</param><param name="cr">a&#13;"#,
            "\n",
            r#"</param><param name="cdata">]]&gt;</param><param name="nul" encoding="base64">YQA=</param>"#,
            r#"<param name="last" encoding="base64">77+/</param><param name="n&quot;&lt;&gt;&amp;&#9;&#10;&#13;'"/>"#,
            r#"<param name64="AQ==" type="int">1</param><param name="list" type="array"><item encoding="base64">CA==</item>"#,
            r#"<item type="null"/><item type="object"/><item type="array"/></param></message>"#,
        )
    );
    assert_eq!(decode(&text, &Limits::default()), Ok(message));
}

#[test]
fn fragments_of_json_are_written_anew() {
    let text = Text::from(r#"["m",{"qid": 1E5,"o":{"a":[1,2.50,"\u0041"]},"e":{},"l":[ ]}]"#);
    let message = json::decode(&text, &Limits::default()).unwrap();
    let xml = encode(&message);
    assert_eq!(
        xml,
        concat!(
            r#"<message name="m"><param name="qid" type="float">1E5</param><param name="o" type="object"><param name="a" type="array">"#,
            r#"<item type="int">1</item><item type="float">2.50</item><item>A</item></param></param>"#,
            r#"<param name="e" type="object"/><param name="l" type="array"/></message>"#,
        )
    );
    assert_eq!(decode(&xml, &Limits::default()), Ok(message));
    let message = decode(&xml, &Limits::default()).unwrap();
    assert_eq!(encode(&message), xml, "fragments as they came, empty ones too");
}

#[test]
fn several_messages_in_one_text() {
    let all = |text: &str| decode_all(&Text::from(text), &Limits::default());
    let names = |text: &str| all(text).expect(text).iter().map(|e| e.name.to_string()).collect::<Vec<_>>();
    assert!(names("").is_empty());
    assert!(names(" \n").is_empty());
    assert!(names("<messages/>").is_empty());
    assert!(names("<messages> <!-- --> </messages>").is_empty());
    assert_eq!(names("<message name='a'/>"), ["a"]);
    assert_eq!(
        names("<?xml version='1.0'?><messages><message name='a'/> <message name='b'></message></messages>\n"),
        ["a", "b"]
    );
    for bad in [
        "<messages>",
        "<messages><message/></messages>",
        "<messages>x</messages>",
        "<messages name='a'/>",
        "<messages><messages/></messages>",
        "<message name='a'/><message name='b'/>",
        "<param name='a'/>",
        "{}",
    ] {
        assert!(all(bad).is_err(), "{bad}");
    }
}

#[test]
fn opening_what_was_never_validated_gives_null() {
    for bad in ["x", "<item>", "<param/>", "</param>", "<item></param>", "&amp;"] {
        assert_eq!(open(&Text::from(bad), Kind::Object), Value::Null, "{bad}");
    }
    assert_eq!(open(&"<item type='array'>".repeat(100_000).into(), Kind::Array), Value::Null);
    assert_eq!(open(&Text::new(), Kind::Array), Value::Array(Vec::new()));
}
