//! Tests that send HTTP requests and check what the user sees: response, mail, row, file.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "a test may panic, and may look anywhere"
)]

mod access;
mod admin;
mod alertes;
mod audit;
mod auth;
mod calendrier;
mod cles_api;
mod clients;
mod comptes;
mod connections;
mod console;
mod conventions;
mod curseurs;
mod dashboard;
#[cfg(unix)]
mod decoders;
mod dehors;
mod digest;
mod documents;
mod donnees;
mod emails;
mod enveloppe;
mod fichiers;
mod frontend;
mod idempotence;
mod interventions;
mod invitations;
mod kpi;
mod limits;
mod lots;
mod nouns;
mod oidc;
mod openapi;
mod oubli;
mod outages;
mod planning;
mod preferences;
mod quotidien;
mod rapports;
mod rbac;
mod recherche;
mod reconcile;
mod refused_files;
mod relay;
mod s3;
#[path = "../../../core/tests/support/s3_server.rs"]
mod s3_server;
mod second_facteur;
mod sessions;
mod support;
mod versions;
mod visites;
