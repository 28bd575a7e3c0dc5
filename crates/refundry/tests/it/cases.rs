//! After-sales cases: money over a held channel waits until somebody says that it went back, or its case is deleted.

use serde_json::{Value, json};

use crate::harness::{Answer, Backend, Client, Place, TOKEN, order, put_orders, run};

on_both! {
    a_held_refund_is_finished_or_its_case_deleted,
    a_refund_that_fails_says_why,
}

/// Calls Shoplazza's API.
#[track_caller]
fn call(client: &mut Client, method: &str, path: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let headers = [("access-token", TOKEN), ("content-type", "application/json")];
    client.send(method, &format!("/openapi/{path}"), &headers, body.as_bytes()).expect("an answer")
}

#[track_caller]
fn done(client: &mut Client, method: &str, path: &str, body: &Value) -> Value {
    let answer = call(client, method, path, body);
    assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text());
    answer.json()
}

fn by(id: &str, channel: &str, reference: &str) -> Value {
    let mut order = order(id, 1);
    order["payments"][0]["channel"] = channel.into();
    order["payments"][0]["reference"] = reference.into();
    order
}

fn hold(place: &Place, more: &[&str]) -> String {
    let output = run(&[&["store", "hold", "bogus", "--store", "demo"], more, &place.args()[..]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn a_held_refund_is_finished_or_its_case_deleted(on: Backend) {
    let place = Place::new(on);
    let server = place.serve(&[]);
    let mut client = server.client();
    put_orders(&mut client, &[by("held", "bogus", "tx")]);
    assert_eq!(hold(&place, &[]), "refunds of demo wait for a person over: bogus");
    let listed = run(&[&["gateway", "list", "--store", "demo"], &place.args()[..]].concat());
    assert!(String::from_utf8_lossy(&listed.stdout).contains("bogus held"));

    let list = "2022-01/orders/after_sales_list";
    let before = done(&mut client, "GET", list, &Value::Null);
    let path = "2026-01/orders/held/refund";
    let made = done(&mut client, "POST", path, &json!({"refund": {"refund_total": "600.00"}}))["data"].clone();
    let other = done(&mut client, "POST", path, &json!({"refund": {"refund_total": "400.00"}}))["data"].clone();
    let more = json!({"refund": {"refund_total": "0.01"}});
    assert_eq!(call(&mut client, "POST", path, &more).status, 400, "all of it waits");

    let cases = done(&mut client, "GET", list, &Value::Null);
    for key in ["count", "pending_count"] {
        assert_eq!(cases[key].as_i64(), before[key].as_i64().map(|count| count + 2), "{key} of {cases:#}");
    }
    let pending = done(&mut client, "GET", "2026-01/orders/post_sales?status=pending&page_size=1", &Value::Null);
    let newest = &pending["data"]["orders"][0];
    assert_eq!((&newest["id"], &newest["number"]), (&other["post_sale_id"], &json!("held-S2")), "{pending:#}");
    assert_eq!((&newest["status"], &newest["refund_amount"]), (&json!("pending"), &json!("400.00")));
    assert_eq!(newest["financial_status"], "refunding");
    let next = pending["data"]["cursor"].as_str().expect("more follow");
    let next = format!("2026-01/orders/post_sales?status=pending&page_size=1&cursor={next}");
    let next = done(&mut client, "GET", &next, &Value::Null);
    assert_eq!(next["data"]["orders"][0]["id"], made["post_sale_id"], "{next:#}");

    let finish = format!("{path}/finish");
    let told = json!({
        "post_sale_id": made["post_sale_id"], "refund_record_id": made["refund_record_id"],
        "transaction_number": "wire-77", "payment_channel": "bogus", "extra_info": {"pos": "till 4"},
    });
    let finished = done(&mut client, "POST", &finish, &told);
    let record = &finished["data"]["refund_record"];
    assert_eq!((&record["refund_status"], &record["extra_info"]["pos"]), (&json!("finished"), &json!("till 4")));
    assert_eq!(done(&mut client, "POST", &finish, &told), finished, "the same again");
    let case = |id: &Value| format!("2026-01/orders/post_sales/{}", id.as_str().expect("an id"));
    let stays = call(&mut client, "DELETE", &case(&made["post_sale_id"]), &Value::Null);
    assert_eq!((stays.status, &stays.json()["code"]), (400, &json!("InvalidParameter")), "{}", stays.text());
    let legacy = case(&made["post_sale_id"]).replace("2026-01", "2022-01");
    let stays = call(&mut client, "DELETE", &legacy, &Value::Null);
    let text = json!({"errors": ["Operation not allowed in current state"]});
    assert_eq!((stays.status, stays.json()), (406, text));

    done(&mut client, "DELETE", &case(&other["post_sale_id"]), &Value::Null);
    assert_eq!(call(&mut client, "DELETE", &case(&other["post_sale_id"]), &Value::Null).status, 404, "gone");
    let cases = done(&mut client, "GET", list, &Value::Null);
    assert_eq!(cases["count"].as_i64(), before["count"].as_i64().map(|count| count + 1), "{cases:#}");
    assert_eq!(cases["post_sales"][0]["financial_status"], "partially_refunded", "{cases:#}");

    // What was deleted is refundable again, at once where nothing is held.
    assert_eq!(hold(&place, &["--off"]), "no channel of demo is held");
    let rest = done(&mut client, "POST", "2022-01/orders/held/refund", &Value::Null);
    assert_eq!((&rest["status"], &rest["refund_status"]), (&json!("finished"), &json!("finished")), "{rest:#}");
    assert_eq!((&rest["number"], &rest["refund"]["refund_price"]), (&json!("held-S3"), &json!("400.00")));
    assert_eq!((&rest["order"]["total_refund_price"], &rest["all_refunded"]), (&json!("1000.00"), &json!(true)));
    place.assert_clean();
}

fn a_refund_that_fails_says_why(on: Backend) {
    let place = Place::new(on);
    let server = place.serve(&[]);
    let mut client = server.client();
    put_orders(&mut client, &[by("fails", "bogus", "tx.sim-declined")]);
    let failed = done(&mut client, "POST", "2022-01/orders/fails/refund", &Value::Null);
    assert_eq!((&failed["status"], &failed["refund_status"]), (&json!("finished"), &json!("failed")), "{failed:#}");
    assert_eq!(failed["refund_fail_reason"], "scripted by the amount", "{failed:#}");
    assert_eq!(failed["order"]["financial_status"], "refund_failed", "{failed:#}");
    place.assert_clean();
}
