//! What the API answers while Postgres is away.
use reqwest::Method;
use serde_json::Value;

use super::client::Client;
use crate::support::{faults::until, server::Server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_postgres_is_away_the_api_says_so_and_afterwards_all_go_on_by_themselves() {
    let mut server = Server::start().await;
    let system = server.system().await;
    let client = Client::on(&system, vec![system.boss_id], system.boss_id).await;
    let _worker = system.worker();
    client.mail().await;
    until("the mail leaves", async || system.mails().len() == 1).await;

    server.stop();
    let ready = client.request(Method::GET, "/ready").send().await.unwrap();
    assert_eq!(ready.status(), 503);
    let said: Value = ready.json().await.unwrap();
    assert_eq!(said["checks"]["database"], "indisponible", "{said}");
    let refused = client.request(Method::GET, "/interventions").send().await.unwrap();
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    let said: Value = refused.json().await.unwrap();
    assert_eq!(said["code"], "service_indisponible", "{said}");
    assert_eq!(client.request(Method::GET, "/live").send().await.unwrap().status(), 200);

    server.start_again();
    client.mail().await;
    system.until_settled(system.boss_id).await;
    assert_eq!(client.request(Method::GET, "/ready").send().await.unwrap().status(), 200);
    assert_eq!(system.mails().len(), 2);
}
