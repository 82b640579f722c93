//! A mail that may have left keeps its content and its `Message-ID`; later notifications go into another mail.
use erp_dev::mail_sink::relay::{Relay, script};

use crate::support::{
    System,
    faults::{Fate, changed_contents, copies, token, until},
};

/// Deduplication by `Message-ID` loses nothing: two contents never share an id.
async fn what_comes_after_a_lost_answer_is_another_mail(type_: &str) {
    let system = System::start_with(&[("EMAILS_GROUP_SECONDS", "1")]).await;
    let relay = Relay::start().unwrap();
    relay.play(script::lose_the_answer(1));
    let intervention = system.intervention().await;
    let _worker = system.worker_to(&relay, &[]);
    let person = system.person("personne").await;
    let first = system.tell(type_, person, &intervention, &token(0)).await;
    until("the first mail is accepted", async || copies(&relay, &token(0)) == 1).await;
    system.tell(type_, person, &intervention, &token(1)).await;
    system.until_settled(person).await;
    system.tell(type_, person, &intervention, &token(2)).await;
    system.until_settled(person).await;

    let accepted = relay.accepted();
    assert_eq!(changed_contents(&accepted), [""; 0], "one Message-ID, two contents");
    let ids_with = |n: usize| {
        let said = accepted.iter().filter(|mail| mail.text().contains(&token(n)));
        said.map(|mail| mail.message_id()).collect::<Vec<_>>()
    };
    let fates = system.fates(person).await;
    // Sent again unchanged, or kept in doubt.
    match fates[&first] {
        Fate::Sent => assert_eq!(ids_with(0), [accepted[0].message_id(); 2]),
        Fate::InDoubt => assert_eq!(ids_with(0).len(), 1),
        Fate::Open | Fate::GivenUp => panic!("{fates:?}"),
    }
    for n in [1, 2] {
        assert_eq!(ids_with(n).len(), 1);
        assert_ne!(ids_with(n), [accepted[0].message_id()]);
    }
    assert!(fates.iter().all(|(id, fate)| *id == first || *fate == Fate::Sent), "{fates:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_after_an_alert_whose_answer_was_lost_is_another_mail() {
    what_comes_after_a_lost_answer_is_another_mail("alerte").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_after_an_information_whose_answer_was_lost_is_another_mail() {
    what_comes_after_a_lost_answer_is_another_mail("information").await;
}
