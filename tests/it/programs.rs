//! Programs by HTTP, stored procedures, passwords that change, things that outlive a restart.

use std::path::Path;

use ctigate::app;
use ctigate::config::{Config, Procedure, Role, Secret, User};
use ctigate::proto::message::Format;
use ctigate::shutdown::Shutdown;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};

use crate::support::curl::curl;
use crate::support::database::{Database, Kind, on_both};
use crate::support::{FakeTab, node};

/// A house with a program and two people, of whom one lets programs call.
fn house(folder: &Path) -> Config {
    let mut config = node::config(folder);
    config.files.folder = folder.join("files");
    config.recordings.folder = folder.join("recordings");
    config.users[0].api_call_enabled = true;
    let person = |login: &str, number: &str, role: Role| User {
        login: login.to_owned(),
        number: number.to_owned(),
        role,
        password: Some(Secret::new("Secret1")),
        ..User::default()
    };
    config.users.extend([person("petrov", "102", Role::Agent), person("robot", "", Role::Integrator)]);
    config
}

fn procedure(name: &str, sql: &str, database: Option<&Path>, roles: &[Role]) -> Procedure {
    Procedure {
        name: name.to_owned(),
        sql: sql.parse().unwrap(),
        database: database.map(Path::to_path_buf),
        roles: roles.to_vec(),
        ..Procedure::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_orders_and_asks_by_http() {
    let folder = tempfile::tempdir().unwrap();
    let node = node::start(&house(folder.path())).await;
    let web = node.addresses.web.unwrap();
    let mut tab = FakeTab::login(web, Format::Json, "ivanov").await;
    tab.0.say(r#"["subscribeevent",{"qid":"s","eventmethod":["userstatechanged","phoneevent"]}]"#).await;
    tab.0.hear_named("subscribeeventresult").await;
    let ask = async |user: &str, path: &str| curl(&["--user", user, &format!("http://{web}{path}")]).await;
    let robot = "robot:Secret1";

    let got = ask(robot, "/tst_getuserstate?iduser=ivanov").await;
    assert_eq!((got.status, got.header("content-type")), (200, Some("text/xml; charset=utf-8")));
    let text = got.text();
    assert!(text.contains("<oktellxmlmapper version=\"80710\"><data name=\"userstate\" count=\"1\">"), "{text}");
    assert!(text.contains("<property_simple key=\"state\" value=\"1\" name=\"usReady\"/>"), "{text}");

    assert_eq!(ask(robot, "/wp_setuserstate?user=ivanov&oncallcenter=1").await.status, 200);
    assert_eq!(tab.0.hear_named("userstatechanged").await.body.flag("oncallcenter"), Some(true));
    let posted =
        curl(&["--user", robot, "-d", "user=101&oncallcenter=0", &format!("http://{web}/wp_setuserstate")]).await;
    assert!(posted.text().contains("<property_simple key=\"resultcode\" value=\"1\" name=\"OK\"/>"), "{posted:?}");
    assert_eq!(tab.0.hear_named("userstatechanged").await.body.flag("oncallcenter"), Some(false));

    let got = ask(robot, "/wp_switchcall?user=ivanov&number=102").await;
    assert_eq!(got.status, 200, "{got:?}");
    tab.0.hear_named("phoneevent_ringstarted").await;
    let line = ask(robot, "/wp_getabonentinfo?user=ivanov").await.text();
    assert!(line.contains("<property_simple key=\"number\" value=\"102\"/>"), "{line}");
    let chain = ask(robot, "/wp_getchaincontent?user=ivanov").await;
    assert!(chain.text().contains("<data name=\"chaincontent\""), "{chain:?}");
    assert_eq!(ask(robot, "/wp_autocallstop?user=ivanov").await.status, 200);
    tab.0.hear_named("phoneevent_ringstopped").await;
    let flash = ask(robot, "/wp_flash?user=ivanov&mode=abort").await;
    assert_eq!(flash.status, 409, "nobody is on hold: {flash:?}");
    assert!(flash.text().contains("value=\"59006\""), "{flash:?}");
    let queues = ask(robot, "/gettotalqueueinfo").await;
    assert_eq!((queues.status, queues.text().as_str()), (200, "[]"));

    for (user, path, status) in [
        ("robot:wrong", "/tst_getuserstate?iduser=ivanov", 401),
        ("petrov:Secret1", "/tst_getuserstate?iduser=ivanov", 403),
        (robot, "/wp_switchcall?user=petrov&number=101", 403),
        (robot, "/wp_nonsense?user=petrov", 404),
        (robot, "/tst_getuserstate?iduser=nobody", 404),
        (robot, "/tst_getuserstate", 400),
        (robot, "/execsvcscript?name=nosuchscript", 404),
    ] {
        assert_eq!(ask(user, path).await.status, status, "{user} {path}");
    }
    assert!(curl(&[&format!("http://{web}/wp_flash")]).await.header("www-authenticate").unwrap().starts_with("basic"));
    for _ in 0..5 {
        ask("petrov:wrong", "/gettotalqueueinfo").await;
    }
    assert_eq!(ask("petrov:Secret1", "/gettotalqueueinfo").await.status, 429, "throttled like a login");
    assert!(node.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn procedures_read_their_database_and_of_the_store_only_what_is_published() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("tasks.db");
    let mut made = SqliteConnectOptions::new().filename(&database).create_if_missing(true).connect().await.unwrap();
    made.execute(
        "CREATE TABLE task (id INTEGER, name TEXT, cost REAL, data BLOB, owner TEXT);
         INSERT INTO task VALUES (1, 'Inbound', 1.5, x'00ff', 'ivanov'), (2, NULL, NULL, NULL, 'petrov');",
    )
    .await
    .unwrap();
    made.close().await.unwrap();
    let mut config = house(folder.path());
    let db = Some(database.as_path());
    let forever = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n";
    config.procedures = vec![
        procedure(
            "web_gettasks",
            "SELECT id, name, cost, data FROM task WHERE id >= :Since ORDER BY id",
            db,
            &[Role::Agent],
        ),
        procedure("mine", "SELECT name FROM task WHERE owner = :userlogin", db, &[Role::Agent]),
        procedure("people", "SELECT userlogin, role FROM users_v1 ORDER BY userlogin", None, &[Role::Agent]),
        procedure("write", "INSERT INTO task VALUES (3, 'x', 1, x'', '')", db, &[Role::Agent]),
        Procedure {
            timeout: std::time::Duration::from_millis(200),
            ..procedure("forever", forever, db, &[Role::Agent])
        },
        Procedure { rows: 1, ..procedure("many", "SELECT id FROM task", db, &[Role::Agent]) },
    ];
    let node = node::start(&config).await;
    let mut tab = FakeTab::login(node.addresses.web.unwrap(), Format::Json, "ivanov").await;
    let mut exec = async |name: &str, input: &str| {
        tab.0
            .say(&format!(r#"["execpredefineddbstoredproc",{{"qid":"x","procedure":"{name}","inputparams":{input}}}]"#))
            .await;
        let reply = tab.0.hear_named("execpredefineddbstoredprocresult").await.body;
        match reply.int("result") {
            Some(1) => ctigate::proto::codec::encode_value(&reply.value("dataset").unwrap()).to_string(),
            _ => format!("{} {}", reply.int("error").unwrap_or_default(), reply.text("errormsg").unwrap_or_default()),
        }
    };
    let columns = r#"["id","name","cost","data"]"#;
    assert_eq!(
        exec("Web_GetTasks", r#"{"@since":1}"#).await,
        format!(r#"[[{columns},[1,"Inbound",1.5,"00ff"],[2,null,null,null]]]"#)
    );
    assert_eq!(exec("web_gettasks", r#"{"since":"9"}"#).await, format!("[[{columns}]]"), "columns of nothing");
    let evil = r#"{"since":"1 OR 1=1; DROP TABLE task"}"#;
    assert_eq!(exec("web_gettasks", evil).await, format!("[[{columns}]]"), "text is text");
    assert_eq!(exec("mine", r#"{"userlogin":"petrov"}"#).await, r#"[[["name"],["Inbound"]]]"#);
    let people = r#"[[["userlogin","role"],["ivanov","agent"],["petrov","agent"],["robot","integrator"]]]"#;
    assert_eq!(exec("people", "{}").await, people);
    assert_eq!(exec("write", "{}").await, "59099 Internal error: the procedure failed", "it can only read");
    assert!(exec("forever", "{}").await.starts_with("59011 Timeout: it took longer than 200ms"));
    assert!(exec("forever", "{}").await.starts_with("59011"), "and again");
    assert_eq!(exec("many", "{}").await, "59002 Bad request: it gave more than 1 rows");
    assert_eq!(exec("people", "{}").await, people, "the connections still work");
    drop(tab);
    assert!(node.stop().await);

    for (sql, says) in [
        ("SELECT * FROM session", "found \"session\", which is not for procedures"),
        ("SELECT * FROM \"Password\"", "found \"password\""),
        ("SELECT * FROM 'kept'", "found \"kept\""),
        ("SELECT * FROM sqlite_schema", "found \"sqlite_schema\""),
        ("SELECT * FROM users_v1 WHERE nonsense = 1", "does not fit the database"),
    ] {
        config.procedures = vec![procedure("p", sql, None, &[])];
        let error = app::start(&config, false, Shutdown::new()).await.expect_err(sql).to_string();
        assert!(error.contains(says), "{error}");
    }
}

on_both! {
    async fn procedures_read_the_views_of_either_store(database: Database) {
        use ctigate::proto::message::{Text, Value};
        use ctigate::store::Procedures;

        let mut config = house(database.folder.path());
        config.store.url = database.url();
        assert!(node::start(&config).await.stop().await);
        let mut other = database.other().await;
        other.run("INSERT INTO call VALUES ('c1', '{}'), ('c2', '{}')").await;
        other.run(
            "INSERT INTO journal VALUES ('c1', 't', 1000, 5, 'in', 'answered', '7900', '101', '', '', 0, '', NULL),
             ('c2', '', 2000, 0, 'in', 'missed', '7901', '101', '', '', 0, '', NULL)",
        )
        .await;
        let calls = "SELECT chainid, length_ms, length_ms > 1 AS long, CAST(length_ms AS REAL) / 2 AS half, NULLIF(queue, '') AS queue
                     FROM journal_v1 WHERE began_ms >= :since AND (callerid = :who OR :who = '') ORDER BY began_ms";
        let forever = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n";
        let all = vec![
            procedure("calls", calls, None, &[]),
            Procedure { rows: 1, ..procedure("many", "SELECT chainid FROM journal_v1", None, &[]) },
            Procedure { timeout: std::time::Duration::from_millis(300), ..procedure("forever", forever, None, &[]) },
            procedure("write", "DELETE FROM journal_v1 RETURNING chainid", None, &[]),
        ];
        // SQLite says at once that a view cannot be written to, PostgreSQL when it is tried.
        let opened = Procedures::open(&all, &database.url()).await;
        let all = if database.kind == Kind::Sqlite { &all[..3] } else { &all[..] };
        assert_eq!(opened.is_err(), database.kind == Kind::Sqlite);
        let procedures = Procedures::open(all, &database.url()).await.unwrap();
        let run = async |name: &str, input: &[(&str, Value)]| {
            let input: Vec<(Text, Value)> = input.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
            match procedures.run(name, &input).await {
                Ok(tables) => ctigate::proto::codec::encode_value(&tables[0]).to_string(),
                Err(why) => why.to_string(),
            }
        };
        let head = r#"["chainid","length_ms","long","half","queue"]"#;
        let (one, two) = (r#"["c1",5,1,2.5,null]"#, r#"["c2",0,0,0,null]"#);
        let text = |text: &str| Value::from(text.to_owned());
        assert_eq!(run("calls", &[("since", Value::from(0)), ("who", text(""))]).await, format!("[{head},{one},{two}]"));
        assert_eq!(run("calls", &[("since", text("1500")), ("who", text(""))]).await, format!("[{head},{two}]"));
        assert_eq!(run("calls", &[("since", Value::from(0)), ("who", text("7900"))]).await, format!("[{head},{one}]"));
        assert_eq!(run("calls", &[("who", text("'; DROP TABLE call; --"))]).await, format!("[{head}]"));
        assert_eq!(run("many", &[]).await, "it gave more than 1 rows");
        assert_eq!(run("forever", &[]).await, "it took longer than 300ms");
        if database.kind == Kind::Postgres {
            let refused = run("calls", &[("since", text("yesterday")), ("who", text(""))]).await;
            assert_eq!(refused, "since: expected a whole number");
            assert!(run("write", &[]).await.contains("read-only"), "it can only read");
        }
        assert_eq!(other.number("SELECT count(*) FROM journal").await, 2);

        for sql in ["SELECT * FROM session", "SELECT * FROM \"Password\"", "SELECT body FROM kept, users_v1"] {
            let error = Procedures::open(&[procedure("p", sql, None, &[])], &database.url()).await.unwrap_err();
            assert!(error.to_string().contains("which is not for procedures"), "{sql}: {error}");
        }
        if database.kind == Kind::Postgres {
            for (sql, says) in [
                ("SELECT rolname FROM pg_authid", "which is not for procedures"),
                ("SELECT query_to_xml('x', true, true, '')", "which is not for procedures"),
                ("SELECT CAST(1 AS NUMERIC) AS n", "the column n is NUMERIC; cast it to one of"),
                ("SELECT 1 FROM users_v1 WHERE now() > :when", "the parameter :when is TIMESTAMPTZ; cast it"),
                ("SELECT number::int FROM users_v1 WHERE nonsense = 1", "does not fit the database"),
            ] {
                let error = Procedures::open(&[procedure("p", sql, None, &[])], &database.url()).await.unwrap_err();
                assert!(error.to_string().contains(says), "{sql}: {error}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_password_and_redirect_rules_and_chats_outlive_a_restart() {
    const NEW: &str = "578dd15b518cb3a96e450822ebae36d3";
    let folder = tempfile::tempdir().unwrap();
    let config = house(folder.path());
    let node = node::start(&config).await;
    let web = node.addresses.web.unwrap();
    let mut tab = FakeTab::login(web, Format::Json, "ivanov").await;
    let mut other = FakeTab::login(web, Format::Json, "ivanov").await;
    tab.0.say(r#"["getallusernumbers",{"qid":"u"}]"#).await;
    let users = tab.0.hear_named("getallusernumbersresult").await.body.value("users").unwrap();
    let id = |at: usize| users.as_array().unwrap()[at].as_object().unwrap().get("id").unwrap().to_text().unwrap();
    let petrov = id(1);
    tab.0.say(&format!(r#"["chatcreate",{{"qid":"c","members":["{petrov}"]}}]"#)).await;
    let chat = tab.0.hear_named("chatcreateresult").await.body.text("chatid").unwrap();
    tab.0.say(&format!(r#"["chatsend",{{"qid":"c","chatid":"{chat}","text":"привет"}}]"#)).await;
    tab.0.hear_named("chatsendresult").await;
    let rule = r#"{"id":"r1","destinationnumber":"79001112233","isenabled":true}"#;
    tab.0.say(&format!(r#"["saveredirectrules",{{"qid":"r","redirectrule":{rule}}}]"#)).await;
    assert_eq!(tab.0.hear_named("saveredirectrulesresult").await.body.int("result"), Some(1));
    let change = |old: &str| format!(r#"["changepassword",{{"qid":"c","oldpwdmd5":"{old}","newpwdmd5":"{NEW}"}}]"#);
    tab.0.say(&change(NEW)).await;
    let reply = tab.0.hear_named("changepasswordresult").await.body;
    assert_eq!(reply.text("errormsg").as_deref(), Some("old password is wrong"));
    tab.0.say(&change(crate::support::peers::HASH)).await;
    assert_eq!(tab.0.hear_named("changepasswordresult").await.body.int("result"), Some(1));
    assert_eq!(other.0.closed().await.0, 1000, "the other session has ended");
    drop(tab);
    assert!(node.stop().await);

    let node = node::start(&config).await;
    let web = node.addresses.web.unwrap();
    let mut tab = FakeTab::connect(web, Format::Json).await;
    for (hash, result) in [(crate::support::peers::HASH, 0), (NEW, 1)] {
        tab.0.say(&format!(r#"["login",{{"qid":"l","userlogin":"ivanov","Password":"{hash}"}}]"#)).await;
        assert_eq!(tab.0.hear_named("loginresult").await.body.int("result"), Some(result));
        if result == 0 {
            tab = FakeTab::connect(web, Format::Json).await;
        }
    }
    tab.0.say(r#"["getredirectrules",{"qid":"r"}]"#).await;
    let rules = tab.0.hear_named("getredirectrulesresult").await.body.value("redirectrules").unwrap();
    assert!(ctigate::proto::codec::encode_value(&rules).contains("79001112233"));
    tab.0.say(&format!(r#"["chathistory",{{"qid":"h","chatid":"{chat}"}}]"#)).await;
    let texts = tab.0.hear_named("chathistoryresult").await.body.value("messages").unwrap();
    assert!(ctigate::proto::codec::encode_value(&texts).contains("привет"));
    drop(tab);
    assert!(node.stop().await);

    // The operator has the last word.
    let mut config = config;
    config.users[0].password = Some(Secret::new("demo-Else"));
    let node = node::start(&config).await;
    let got =
        curl(&["--user", "ivanov:demo-Else", &format!("http://{}/gettotalqueueinfo", node.addresses.web.unwrap())])
            .await;
    assert_eq!(got.status, 403, "known, but no program");
    assert!(node.stop().await);
}
