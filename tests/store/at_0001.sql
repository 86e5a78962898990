-- A rental whose second machine runs, as a gpubot with schema 0001 stored it. Both databases accept this SQL.

INSERT INTO quotes (id, state, owner, asked_in, request, rent_now, replaces, created_at, offers, nearby, rental_id)
VALUES (
    'q1', 'found', 'U0ANA', 'C0HOME',
    '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"lease":"PT4H","note":""}',
    false, false, '2025-03-04 09:00:00.000000', '[]', '[]', 'k7mq2'
);

INSERT INTO rentals (
    id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, attempts, rate,
    progress, notices_given, asked_times, alarms, due_at, claimed_by, live, cap_micros
)
VALUES (
    'k7mq2', 7, 'ready', 'q1', 'U0ANA', 'C0HOME',
    '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"lease":"PT4H","note":""}',
    'offer-1',
    '{"version":1,"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"price":"2.42","max_rate":"2.47","lease":"PT4H","total":11115000}',
    '2025-03-04 09:00:00.000000', 2, '2.4200000000000000000000000000010',
    '', 0, 0, 0, '2025-03-04 09:00:00.000000', 'whoever it was', true, 2470000
);

INSERT INTO attempts (
    rental_id, n, state, offer, resource_name, public_key, key_comment, intended_at, detail, accepted, progress,
    delete_wanted, late, offer_id, vendor, gpu, live, ready_at
)
VALUES (
    'k7mq2', 1, 'gone',
    '{"offer_id":"offer-1","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"nebius","region":"EU","vendor_region":null,"contract":"ondemand","rate":"2.150","vcpus":null,"memory_gb":null,"disk_gb":null,"expires_at":"2025-03-04T09:30:00Z"}',
    'gpubot-k7mq2-1', 'ssh-ed25519 AAAA', 'ana@laptop', '2025-03-04 09:00:00.000000', '', true, 'booting',
    false, false, 'offer-1', 'nebius', 'nvidia-h100-sxm5-80gb', false, NULL
), (
    'k7mq2', 2, 'bought',
    '{"offer_id":"offer-2","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"nebius","region":"EU","vendor_region":"no text in PostgreSQL: \u0000","contract":"ondemand","rate":"2.4200000000000000000000000000010","vcpus":null,"memory_gb":null,"disk_gb":null,"expires_at":"2025-03-04T09:30:00Z"}',
    'gpubot-k7mq2-2', 'ssh-ed25519 AAAA', 'ana@laptop', '2025-03-04 10:00:00.000000', '', true, 'booting',
    false, false, 'offer-2', 'nebius', 'nvidia-h100-sxm5-80gb', true, '2025-03-04 10:05:00.000000'
);

INSERT INTO resources (resource_id, rental_id, attempt, status, first_seen, read_at, gone_at, last_answer)
VALUES (
    'res-1', 'k7mq2', 1, 'deleted',
    '2025-03-04 09:00:00.000000', '2025-03-04 10:00:00.000000', '2025-03-04 10:00:00.000000', ''
), (
    'res-2', 'k7mq2', 2, 'active',
    '2025-03-04 10:00:00.000000', '2025-03-04 10:00:00.000000', NULL, ''
);

INSERT INTO ledger (resource_id, rental_id, owner, started_at, ended_at, rate, amount, estimated)
VALUES (
    'res-1', 'k7mq2', 'U0ANA',
    '2025-03-04 09:00:00.000000', '2025-03-04 10:00:00.000000', '2.150', 2150000, false
);

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('k7mq2', 'started', '2025-03-04 09:00:00.000000', 'U0ANA', '{}');

INSERT INTO messages (
    kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, sending, tries, closed, created_at
)
VALUES ('card', 'C0HOME', 'k7mq2', 1, false, 1, 1, 'x', false, 0, false, '2025-03-04 09:00:00.000000');
