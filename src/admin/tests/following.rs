//! Streams: the tail, and what has changed.

use super::*;

fn line(method: &str) -> TapLine {
    TapLine {
        id: 1,
        tab: String::new(),
        format: "json",
        ms: 5,
        direction: "in",
        peer: "link crm".to_owned(),
        link: "crm".to_owned(),
        user: String::new(),
        method: method.to_owned(),
        qid: "1".to_owned(),
        bytes: 9,
        text: "[\"ping\",{}]\n".to_owned(),
    }
}

#[tokio::test]
async fn the_tail_is_an_event_stream_that_ends_with_the_node() {
    let house = House::new();
    *house.lines.lock().unwrap() = vec![line("ping"), line("login")];
    let stop = CancellationToken::new();
    let settings = Settings { token: Secret::new(TOKEN), hosts: Vec::new(), desk: None, source, stop: stop.clone() };
    let router = router(Arc::clone(&house) as Arc<dyn Door>, settings);
    let request = request("GET", "/api/v1/tail?user=ivanov&link=crm", "");
    let response = TowerToHyperService::new(router).call(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(house.asked(), ["tail ivanov crm"]);
    let mut body = response.into_body().into_data_stream();
    for method in ["ping", "login"] {
        let event = body.next().await.unwrap().unwrap();
        let expected = format!(
            "data: {{\"ms\":5,\"direction\":\"in\",\"peer\":\"link crm\",\"id\":1,\"tab\":\"\",\"format\":\"json\",\"link\":\"crm\",\"user\":\"\",\"method\":\"{method}\",\"qid\":\"1\",\"bytes\":9,\"text\":\"[\\\"ping\\\",{{}}]\\n\"}}\n\n"
        );
        assert_eq!(std::str::from_utf8(&event).unwrap(), expected);
    }
    assert!(body.next().now_or_never().is_none());
    stop.cancel();
    assert!(body.next().await.is_none());
}

#[tokio::test]
async fn so_many_may_follow_and_no_more() {
    let house = House::new();
    let admin = admin(&house);
    let mut open = Vec::new();
    for _ in 0..16 {
        let request = request("GET", "/api/v1/tail", "");
        open.push(TowerToHyperService::new(admin.clone()).call(request).await.unwrap());
    }
    assert!(open.iter().all(|response| response.status() == StatusCode::OK));
    let seen = ask(&admin, request("GET", "/api/v1/tail", "")).await;
    assert_eq!((seen.status, seen.body.contains("16 follow already")), (429, true));
    open.pop();
    let again = TowerToHyperService::new(admin.clone()).call(request("GET", "/api/v1/tail", "")).await.unwrap();
    assert_eq!(again.status(), StatusCode::OK);
    assert_eq!(ask(&admin, request("GET", "/api/v1/tail?user=a&user=b", "")).await.status, 400);
}

#[tokio::test]
async fn events_are_told_at_once_put_together_and_never_more_than_four_a_second() {
    tokio::time::pause();
    let house = House::new();
    let response = TowerToHyperService::new(admin(&house));
    let response = response.call(request("GET", "/api/v1/events?about=calls,%20users", "")).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body().into_data_stream();
    let mut next = async || String::from_utf8(body.next().await.unwrap().unwrap().to_vec()).unwrap();
    assert_eq!(next().await, "event: changed\ndata: {\"what\":[\"calls\",\"users\"]}\n\n");
    let mark = |part| {
        let mut parts = crate::engine::Parts::default();
        parts.add(part);
        house.pulse.mark(parts);
    };
    use crate::engine::Part as P;
    let began = tokio::time::Instant::now();
    for _ in 0..8 {
        (0..100).for_each(|_| mark(P::Calls));
        mark(P::Journal);
        assert_eq!(next().await, "event: changed\ndata: {\"what\":[\"calls\"]}\n\n");
    }
    assert!(began.elapsed() >= std::time::Duration::from_millis(2000), "{:?}", began.elapsed());
    // Notices do not wait, and who is slow is told.
    for n in 0..260 {
        house.telemetry.tell("warn", "node", || n.to_string());
    }
    assert_eq!(next().await, "event: lost\ndata: {\"count\":4}\n\n");
    assert!(next().await.ends_with("\"level\":\"warn\",\"what\":\"node\",\"text\":\"4\"}\n\n"));
    drop(body);
    assert!(!house.pulse.is_on());

    let seen = ask(&admin(&house), request("GET", "/api/v1/events?about=everything", "")).await;
    assert_eq!((seen.status, seen.body.contains("is none of links, calls")), (400, true), "{}", seen.body);
}

#[tokio::test]
async fn so_many_may_follow_events_and_no_more() {
    let house = House::new();
    let admin = admin(&house);
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(TowerToHyperService::new(admin.clone()).call(request("GET", "/api/v1/events", "")).await.unwrap());
    }
    assert_eq!(ask(&admin, request("GET", "/api/v1/events", "")).await.status, 429);
    let log = TowerToHyperService::new(admin.clone()).call(request("GET", "/api/v1/logs/follow", "")).await.unwrap();
    assert_eq!(log.status(), StatusCode::OK, "the log has seats of its own");
}
