-- Files that are uploaded one by one and belong together.
create table lots (
    id bigint generated always as identity primary key,
    intervention_id bigint not null references interventions on delete cascade,
    ouvert_par bigint references users on delete set null,
    ouvert_le timestamptz not null,
    -- Nothing is added any more.
    ferme_le timestamptz,
    -- The batch of the queue that waits for its documents.
    attente text not null
);
create index lots_intervention_id on lots (intervention_id);
create index lots_ouvert_par on lots (ouvert_par);
create index lots_ouvert_le on lots (ouvert_le);

create table lots_documents (
    lot_id bigint not null references lots on delete cascade,
    document_id bigint not null references documents on delete cascade,
    primary key (lot_id, document_id)
);
create index lots_documents_document_id on lots_documents (document_id);
