-- Twelve rentals, one in each state, as a gpubot with schema 0002 stored them. Dumped from SQLite; both databases
-- accept this SQL.

INSERT INTO keys (user_id, line, comment, fingerprint, set_at)
VALUES ('U0ANA', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICxiL0zuT1DtBnGVda3bjIomjXrTBp7PqrDd0ZvT5IRM', '', 'F', '2026-11-24 12:00:00.000000');

INSERT INTO keys (user_id, line, comment, fingerprint, set_at)
VALUES ('U0BEN', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICxiL0zuT1DtBnGVda3bjIomjXrTBp7PqrDd0ZvT5IRM', '', 'F', '2026-11-24 12:00:00.000000');

INSERT INTO keys (user_id, line, comment, fingerprint, set_at)
VALUES ('U0CLEO', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICxiL0zuT1DtBnGVda3bjIomjXrTBp7PqrDd0ZvT5IRM', '', 'F', '2026-11-24 12:00:00.000000');

INSERT INTO people (id, name, tz, guest, deactivated, outsider, bot, groups, asked_at)
VALUES ('U0ANA', 'Ana', 'UTC', false, false, false, false, '[]', '2026-11-24 12:00:00.000000');

INSERT INTO people (id, name, tz, guest, deactivated, outsider, bot, groups, asked_at)
VALUES ('U0BEN', 'Ben', 'UTC', false, false, false, false, '[]', '2026-11-24 12:00:00.000000');

INSERT INTO people (id, name, tz, guest, deactivated, outsider, bot, groups, asked_at)
VALUES ('U0CLEO', 'Cleo', 'UTC', false, false, false, false, '[]', '2026-11-24 12:00:00.000000');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('9cmwhugymj6e', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"hyperstack","max_gpu_rate":null,"lease":"PT2H","note":""}', false, 'https://slack.test/reply', false, '2026-11-24 12:00:00.000000', '2026-11-24 12:00:00.000000', '[{"offer_id":"6109990b-42fb-44ca-ba9b-e04ddceafec4","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T12:30:00Z"}]', '[]', 'eau64');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('bv3nfxaz8u2j', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"hyperstack","max_gpu_rate":null,"lease":"PT2H","note":""}', false, 'https://slack.test/reply', false, '2026-11-24 12:03:17.532763', '2026-11-24 12:03:17.532763', '[{"offer_id":"5ce3bd91-d8b1-44a0-9efa-d80060129ee6","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T12:33:17.532763Z"}]', '[]', 'hbp2j');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('yz57d39mmtgd', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"hyperstack","max_gpu_rate":null,"lease":"PT2H","note":""}', false, 'https://slack.test/reply', false, '2026-11-24 12:18:05.650018', '2026-11-24 12:18:05.650018', '[{"offer_id":"d6659a79-8dfb-40bc-81ef-7f1153e1cbe8","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T12:48:05.650018Z"}]', '[]', '3hkzx');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('5v43fsqn2fcn', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"nebius","max_gpu_rate":null,"lease":"PT2H","note":""}', false, 'https://slack.test/reply', false, '2026-11-24 12:18:35.996622', '2026-11-24 12:20:37.530937', '[{"offer_id":"891f6489-dce9-4077-b9b7-afc81a57a3ac","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"2.42","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T12:50:37.530937Z"}]', '[]', 'dbww7');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby)
VALUES ('vhp2fe8rz4zu', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"hyperstack","max_gpu_rate":null,"lease":"PT2H","note":""}', false, 'https://slack.test/reply', false, '2026-11-24 12:20:37.530937', '2026-11-24 12:20:37.530937', '[{"offer_id":"3d80ef16-189d-4233-9d4c-a4b9bce3bb33","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T12:50:37.530937Z"}]', '[]');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('zmt6jcbwsnr9', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":"hyperstack","max_gpu_rate":null,"lease":"PT6H","note":""}', false, 'https://slack.test/reply', false, '2026-11-24 12:20:37.530937', '2026-11-24 12:20:37.530937', '[{"offer_id":"a7b18689-4494-469d-9af1-ea7007c405a0","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"18.40","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-24T12:50:37.530937Z"}]', '[]', 'ce5g5');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('raneryqh2srx', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":"hyperstack","max_gpu_rate":null,"lease":"PT6H","note":""}', false, 'https://slack.test/reply', false, '2026-11-24 12:20:37.530937', '2026-11-24 12:20:37.530937', '[{"offer_id":"a7b18689-4494-469d-9af1-ea7007c405a0","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"18.40","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-24T12:50:37.530937Z"}]', '[]', 'ry22h');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('vu6xwx95qg2m', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":"hyperstack","max_gpu_rate":null,"lease":"PT6H","note":""}', false, 'https://slack.test/reply', false, '2026-11-24 12:20:37.530937', '2026-11-24 12:20:37.530937', '[{"offer_id":"a7b18689-4494-469d-9af1-ea7007c405a0","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"18.40","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-24T12:50:37.530937Z"}]', '[]', 'dxhkp');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('c6bqvct76age', 'found', 'U0BEN', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"hyperstack","max_gpu_rate":null,"lease":"PT2H","note":""}', false, 'https://slack.test/reply', false, '2026-11-24 20:20:37.530937', '2026-11-24 20:20:37.530937', '[{"offer_id":"f9ce6b68-9ef7-4438-8bc3-64c947a2216a","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:50:37.530937Z"}]', '[]', 'xhtgb');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('4bb29stda3cn', 'found', 'U0CLEO', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"hyperstack","max_gpu_rate":null,"lease":"PT2H","note":""}', false, 'https://slack.test/reply', false, '2026-11-24 20:28:23.763314', '2026-11-24 20:28:23.763314', '[{"offer_id":"13bb10e9-d6e2-46eb-8991-6bd73a508e8d","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:58:23.763314Z"}]', '[]', '47a78');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('jcagrtc37uh3', 'found', 'U0BEN', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"hyperstack","max_gpu_rate":null,"lease":"PT2H","note":""}', false, 'https://slack.test/reply', false, '2026-11-24 20:31:08.028542', '2026-11-24 20:31:08.028542', '[{"offer_id":"5bfc0641-e3eb-418c-bc4c-7a7f6a2bd813","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T21:01:08.028542Z"}]', '[]', 'qqa64');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('zyakcfxv7dyb', 'found', 'U0CLEO', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":"hyperstack","max_gpu_rate":null,"lease":"PT6H","note":""}', false, 'https://slack.test/reply', false, '2026-11-24 20:31:08.028542', '2026-11-24 20:31:08.028542', '[{"offer_id":"5707c1dc-2e43-4e52-a8cd-e96fa54661c3","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"18.40","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-24T21:01:08.028542Z"}]', '[]', 'hsd5f');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('g3frdvkbagk3', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"hyperstack","max_gpu_rate":null,"lease":"PT2H","note":""}', false, 'https://slack.test/reply', false, '2026-11-24 20:31:08.028542', '2026-11-24 20:31:08.028542', '[{"offer_id":"78fccc6c-ff8f-450a-af26-77598323ee29","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T21:01:08.028542Z"}]', '[]', '8jgcy');

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, procuring_since, attempts, rate, vendor, vendor_region, accepted_at, progress, host, port, ready_at, ends_at, notices_given, ask_at, asked_times, seen_at, "end", end_why, end_by, destroying_since, alarms, over_at, live, cap_micros)
VALUES ('eau64', 11, 'destroyed', '9cmwhugymj6e', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"hyperstack","max_gpu_rate":null,"lease":"PT2H","note":""}', '6109990b-42fb-44ca-ba9b-e04ddceafec4', '{"version":1,"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"hyperstack","price":"2.15","max_rate":"2.47","lease":"PT2H","total":6175000}', '2026-11-24 12:00:00.000000', '2026-11-24 12:00:00.000000', 1, '2.15', 'hyperstack', 'nor-1', '2026-11-24 12:00:00.000000', '', '127.0.0.1', 39129, '2026-11-24 12:02:46.851551', '2026-11-24 14:02:46.851551', 1, '2026-11-24 14:02:46.851551', 0, '2026-11-24 12:02:46.851551', 'destroyed', 'asked', 'U0ANA', '2026-11-24 12:02:46.851551', 0, '2026-11-24 12:03:17.532763', false, 2470000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, procuring_since, attempts, rate, vendor, vendor_region, accepted_at, progress, host, port, ready_at, ends_at, notices_given, ask_at, asked_times, seen_at, "end", end_why, alarms, over_at, live, cap_micros)
VALUES ('hbp2j', 11, 'lost', 'bv3nfxaz8u2j', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"hyperstack","max_gpu_rate":null,"lease":"PT2H","note":""}', '5ce3bd91-d8b1-44a0-9efa-d80060129ee6', '{"version":1,"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"hyperstack","price":"2.15","max_rate":"2.47","lease":"PT2H","total":6175000}', '2026-11-24 12:03:17.532763', '2026-11-24 12:03:17.532763', 1, '2.15', 'hyperstack', 'nor-1', '2026-11-24 12:03:17.532763', '', '127.0.0.1', 34391, '2026-11-24 12:06:01.650018', '2026-11-24 14:06:01.650018', 1, '2026-11-24 14:06:01.650018', 0, '2026-11-24 12:06:01.650018', 'lost', 'vendor_took_it', 0, '2026-11-24 12:18:05.650018', false, 2470000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, procuring_since, attempts, rate, vendor, vendor_region, accepted_at, progress, notices_given, asked_times, "end", end_why, end_by, destroying_since, alarms, over_at, live, cap_micros)
VALUES ('3hkzx', 7, 'cancelled', 'yz57d39mmtgd', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"hyperstack","max_gpu_rate":null,"lease":"PT2H","note":""}', 'd6659a79-8dfb-40bc-81ef-7f1153e1cbe8', '{"version":1,"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"hyperstack","price":"2.15","max_rate":"2.47","lease":"PT2H","total":6175000}', '2026-11-24 12:18:05.650018', '2026-11-24 12:18:05.650018', 1, '2.15', 'hyperstack', 'nor-1', '2026-11-24 12:18:05.650018', '', 0, 0, 'cancelled', 'asked', 'U0ANA', '2026-11-24 12:18:05.650018', 0, '2026-11-24 12:18:35.996622', false, 2470000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, procuring_since, attempts, rate, vendor, vendor_region, progress, notices_given, asked_times, "end", end_why, alarms, over_at, live, cap_micros)
VALUES ('dbww7', 5, 'failed', '5v43fsqn2fcn', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"nebius","max_gpu_rate":null,"lease":"PT2H","note":""}', '7655e434-f4e7-4212-ad18-b91f1ce1ed9b', '{"version":1,"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"nebius","price":"2.42","max_rate":"2.78","lease":"PT2H","total":6950000}', '2026-11-24 12:18:35.996622', '2026-11-24 12:18:35.996622', 1, '2.42', 'nebius', 'eu-north1', '', 0, 0, 'failed', 'nothing_left', 0, '2026-11-24 12:20:37.530937', false, 2780000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, attempts, progress, notices_given, asked_times, "end", end_by, alarms, over_at, live, cap_micros)
VALUES ('ce5g5', 2, 'denied', 'zmt6jcbwsnr9', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":"hyperstack","max_gpu_rate":null,"lease":"PT6H","note":""}', 'a7b18689-4494-469d-9af1-ea7007c405a0', '{"version":1,"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":"hyperstack","price":"18.40","max_rate":"21.16","lease":"PT6H","total":137540000}', '2026-11-24 12:20:37.530937', 0, '', 0, 0, 'denied', 'U0BEN', 0, '2026-11-24 12:20:37.530937', false, 21160000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, attempts, progress, notices_given, asked_times, "end", end_by, alarms, over_at, live, cap_micros)
VALUES ('ry22h', 2, 'withdrawn', 'raneryqh2srx', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":"hyperstack","max_gpu_rate":null,"lease":"PT6H","note":""}', 'a7b18689-4494-469d-9af1-ea7007c405a0', '{"version":1,"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":"hyperstack","price":"18.40","max_rate":"21.16","lease":"PT6H","total":137540000}', '2026-11-24 12:20:37.530937', 0, '', 0, 0, 'withdrawn', 'U0ANA', 0, '2026-11-24 12:20:37.530937', false, 21160000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, attempts, progress, notices_given, asked_times, "end", alarms, over_at, live, cap_micros)
VALUES ('dxhkp', 2, 'lapsed', 'vu6xwx95qg2m', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":"hyperstack","max_gpu_rate":null,"lease":"PT6H","note":""}', 'a7b18689-4494-469d-9af1-ea7007c405a0', '{"version":1,"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":"hyperstack","price":"18.40","max_rate":"21.16","lease":"PT6H","total":137540000}', '2026-11-24 12:20:37.530937', 0, '', 0, 0, 'lapsed', 0, '2026-11-24 20:20:37.530937', false, 21160000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, procuring_since, attempts, rate, vendor, vendor_region, accepted_at, progress, host, port, ready_at, ends_at, notices_given, ask_at, asked_times, seen_at, alarms, due_at, live, cap_micros)
VALUES ('xhtgb', 10, 'ready', 'c6bqvct76age', 'U0BEN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"hyperstack","max_gpu_rate":null,"lease":"PT2H","note":""}', 'f9ce6b68-9ef7-4438-8bc3-64c947a2216a', '{"version":2,"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"hyperstack","price":"2.15","max_rate":"2.47","lease":"PT3H","total":7086778}', '2026-11-24 20:20:37.530937', '2026-11-24 20:20:37.530937', 1, '2.15', 'hyperstack', 'nor-1', '2026-11-24 20:20:37.530937', '', '127.0.0.1', 38031, '2026-11-24 20:23:23.763314', '2026-11-24 23:23:23.763314', 0, '2026-11-24 22:28:23.763314', 0, '2026-11-24 20:31:08.028542', 0, '2026-11-24 20:31:24.763314', true, 2470000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, procuring_since, attempts, rate, vendor, vendor_region, accepted_at, progress, host, port, ready_at, ends_at, notices_given, ask_at, asked_times, seen_at, "end", end_why, end_by, destroying_since, alarm_at, alarms, due_at, live, cap_micros)
VALUES ('47a78', 9, 'destroying', '4bb29stda3cn', 'U0CLEO', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"hyperstack","max_gpu_rate":null,"lease":"PT2H","note":""}', '13bb10e9-d6e2-46eb-8991-6bd73a508e8d', '{"version":1,"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"hyperstack","price":"2.15","max_rate":"2.47","lease":"PT2H","total":6175000}', '2026-11-24 20:28:23.763314', '2026-11-24 20:28:23.763314', 1, '2.15', 'hyperstack', 'nor-1', '2026-11-24 20:28:23.763314', '', '127.0.0.1', 36623, '2026-11-24 20:31:08.028542', '2026-11-24 22:31:08.028542', 1, '2026-11-24 22:31:08.028542', 0, '2026-11-24 20:31:08.028542', 'destroyed', 'asked', 'U0CLEO', '2026-11-24 20:31:08.028542', '2026-11-24 20:36:08.028542', 0, '2026-11-24 20:31:23.725293', true, 2470000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, procuring_since, attempts, rate, vendor, vendor_region, accepted_at, progress, notices_given, asked_times, alarms, due_at, live, cap_micros)
VALUES ('qqa64', 3, 'provisioning', 'jcagrtc37uh3', 'U0BEN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"hyperstack","max_gpu_rate":null,"lease":"PT2H","note":""}', '5bfc0641-e3eb-418c-bc4c-7a7f6a2bd813', '{"version":1,"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"hyperstack","price":"2.15","max_rate":"2.47","lease":"PT2H","total":6175000}', '2026-11-24 20:31:08.028542', '2026-11-24 20:31:08.028542', 1, '2.15', 'hyperstack', 'nor-1', '2026-11-24 20:31:08.028542', '', 0, 0, 0, '2026-11-24 20:31:22.799138', true, 2470000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, decider, created_at, lapses_at, attempts, progress, notices_given, asked_times, alarms, due_at, live, cap_micros)
VALUES ('hsd5f', 1, 'awaiting_approval', 'zyakcfxv7dyb', 'U0CLEO', 'C0TRAIN', '{"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":"hyperstack","max_gpu_rate":null,"lease":"PT6H","note":""}', '5707c1dc-2e43-4e52-a8cd-e96fa54661c3', '{"version":1,"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":"hyperstack","price":"18.40","max_rate":"21.16","lease":"PT6H","total":137540000}', 'approver', '2026-11-24 20:31:08.028542', '2026-11-25 04:31:08.028542', 0, '', 0, 0, 0, '2026-11-25 04:31:08.028542', true, 21160000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, procuring_since, attempts, rate, vendor, vendor_region, progress, notices_given, asked_times, alarms, due_at, live, cap_micros)
VALUES ('8jgcy', 3, 'procuring', 'g3frdvkbagk3', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"hyperstack","max_gpu_rate":null,"lease":"PT2H","note":""}', '5bfc0641-e3eb-418c-bc4c-7a7f6a2bd813', '{"version":1,"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"hyperstack","price":"2.15","max_rate":"2.47","lease":"PT2H","total":6175000}', '2026-11-24 20:31:08.028542', '2026-11-24 20:31:08.028542', 1, '2.15', 'hyperstack', 'nor-1', '', 0, 0, 0, '2026-11-24 20:31:23.725844', true, 2470000);

INSERT INTO attempts (rental_id, n, state, offer, resource_name, public_key, key_comment, intended_at, answered_at, detail, accepted, progress, delete_wanted, delete_accepted_at, late, offer_id, vendor, gpu, rate, live, ready_at)
VALUES ('eau64', 1, 'gone', '{"offer_id":"6109990b-42fb-44ca-ba9b-e04ddceafec4","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T12:30:00Z"}', 'gpubot-eau64-1', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICxiL0zuT1DtBnGVda3bjIomjXrTBp7PqrDd0ZvT5IRM', '', '2026-11-24 12:00:00.000000', '2026-11-24 12:00:00.000000', '', true, '', true, '2026-11-24 12:02:46.851551', false, '6109990b-42fb-44ca-ba9b-e04ddceafec4', 'hyperstack', 'nvidia-h100-sxm5-80gb', '2.15', false, '2026-11-24 12:02:46.851551');

INSERT INTO attempts (rental_id, n, state, offer, resource_name, public_key, key_comment, intended_at, answered_at, detail, accepted, progress, delete_wanted, late, offer_id, vendor, gpu, rate, live, ready_at)
VALUES ('hbp2j', 1, 'gone', '{"offer_id":"5ce3bd91-d8b1-44a0-9efa-d80060129ee6","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T12:33:17.532763Z"}', 'gpubot-hbp2j-1', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICxiL0zuT1DtBnGVda3bjIomjXrTBp7PqrDd0ZvT5IRM', '', '2026-11-24 12:03:17.532763', '2026-11-24 12:03:17.532763', '', true, '', false, false, '5ce3bd91-d8b1-44a0-9efa-d80060129ee6', 'hyperstack', 'nvidia-h100-sxm5-80gb', '2.15', false, '2026-11-24 12:06:01.650018');

INSERT INTO attempts (rental_id, n, state, offer, resource_name, public_key, key_comment, intended_at, answered_at, detail, accepted, progress, delete_wanted, delete_accepted_at, late, offer_id, vendor, gpu, rate, live)
VALUES ('3hkzx', 1, 'gone', '{"offer_id":"d6659a79-8dfb-40bc-81ef-7f1153e1cbe8","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T12:48:05.650018Z"}', 'gpubot-3hkzx-1', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICxiL0zuT1DtBnGVda3bjIomjXrTBp7PqrDd0ZvT5IRM', '', '2026-11-24 12:18:05.650018', '2026-11-24 12:18:05.650018', '', true, '', true, '2026-11-24 12:18:05.650018', false, 'd6659a79-8dfb-40bc-81ef-7f1153e1cbe8', 'hyperstack', 'nvidia-h100-sxm5-80gb', '2.15', false);

INSERT INTO attempts (rental_id, n, state, offer, resource_name, public_key, key_comment, intended_at, answered_at, why, detail, accepted, progress, delete_wanted, late, empty_since, offer_id, vendor, gpu, rate, live)
VALUES ('dbww7', 1, 'failed', '{"offer_id":"7655e434-f4e7-4212-ad18-b91f1ce1ed9b","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"2.42","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T12:48:35.996622Z"}', 'gpubot-dbww7-1', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICxiL0zuT1DtBnGVda3bjIomjXrTBp7PqrDd0ZvT5IRM', '', '2026-11-24 12:18:35.996622', '2026-11-24 12:18:35.996622', 'sold_out', 'Insufficient capacity in eu-north1', false, '', false, false, '2026-11-24 12:18:51.297218', '7655e434-f4e7-4212-ad18-b91f1ce1ed9b', 'nebius', 'nvidia-h100-sxm5-80gb', '2.42', false);

INSERT INTO attempts (rental_id, n, state, offer, resource_name, public_key, key_comment, intended_at, answered_at, detail, accepted, progress, delete_wanted, late, offer_id, vendor, gpu, rate, live, ready_at)
VALUES ('xhtgb', 1, 'bought', '{"offer_id":"f9ce6b68-9ef7-4438-8bc3-64c947a2216a","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:50:37.530937Z"}', 'gpubot-xhtgb-1', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICxiL0zuT1DtBnGVda3bjIomjXrTBp7PqrDd0ZvT5IRM', '', '2026-11-24 20:20:37.530937', '2026-11-24 20:20:37.530937', '', true, '', false, false, 'f9ce6b68-9ef7-4438-8bc3-64c947a2216a', 'hyperstack', 'nvidia-h100-sxm5-80gb', '2.15', true, '2026-11-24 20:23:23.763314');

INSERT INTO attempts (rental_id, n, state, offer, resource_name, public_key, key_comment, intended_at, answered_at, detail, accepted, progress, delete_wanted, late, offer_id, vendor, gpu, rate, live, ready_at)
VALUES ('47a78', 1, 'bought', '{"offer_id":"13bb10e9-d6e2-46eb-8991-6bd73a508e8d","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:58:23.763314Z"}', 'gpubot-47a78-1', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICxiL0zuT1DtBnGVda3bjIomjXrTBp7PqrDd0ZvT5IRM', '', '2026-11-24 20:28:23.763314', '2026-11-24 20:28:23.763314', '', true, '', true, false, '13bb10e9-d6e2-46eb-8991-6bd73a508e8d', 'hyperstack', 'nvidia-h100-sxm5-80gb', '2.15', true, '2026-11-24 20:31:08.028542');

INSERT INTO attempts (rental_id, n, state, offer, resource_name, public_key, key_comment, intended_at, answered_at, detail, accepted, progress, delete_wanted, late, offer_id, vendor, gpu, rate, live)
VALUES ('qqa64', 1, 'bought', '{"offer_id":"5bfc0641-e3eb-418c-bc4c-7a7f6a2bd813","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T21:01:08.028542Z"}', 'gpubot-qqa64-1', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICxiL0zuT1DtBnGVda3bjIomjXrTBp7PqrDd0ZvT5IRM', '', '2026-11-24 20:31:08.028542', '2026-11-24 20:31:08.028542', '', true, '', false, false, '5bfc0641-e3eb-418c-bc4c-7a7f6a2bd813', 'hyperstack', 'nvidia-h100-sxm5-80gb', '2.15', true);

INSERT INTO attempts (rental_id, n, state, offer, resource_name, public_key, key_comment, intended_at, why, detail, accepted, progress, delete_wanted, late, offer_id, vendor, gpu, rate, live)
VALUES ('8jgcy', 1, 'unknown', '{"offer_id":"78fccc6c-ff8f-450a-af26-77598323ee29","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T21:01:08.028542Z"}', 'gpubot-8jgcy-1', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICxiL0zuT1DtBnGVda3bjIomjXrTBp7PqrDd0ZvT5IRM', '', '2026-11-24 20:31:08.028542', 'no_answer', '', false, '', false, false, '78fccc6c-ff8f-450a-af26-77598323ee29', 'hyperstack', 'nvidia-h100-sxm5-80gb', '2.15', true);

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('eau64', 'started', '2026-11-24 12:00:00.000000', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":"2.47","total":6175000,"envelope":1,"why":null,"detail":null,"progress":null,"span":null,"hours":"PT2H","until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('eau64', 'renting', '2026-11-24 12:00:00.000000', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"progress":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('eau64', 'accepted', '2026-11-24 12:00:00.000000', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"progress":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('eau64', 'ready', '2026-11-24 12:02:46.851551', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"progress":null,"span":"PT2M46.851551S","hours":null,"until":"2026-11-24T14:02:46.851551Z","since":"2026-11-24T12:00:00Z","amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":"nvidia-h100-sxm5-80gb","count":1,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('eau64', 'destroying', '2026-11-24 12:02:46.851551', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":null,"before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":"asked","detail":null,"progress":null,"span":null,"hours":null,"until":null,"since":null,"amount":99647,"estimate":null,"estimated":false,"resource_id":null,"name":null,"gpu":null,"count":null,"end":"destroyed","paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('eau64', 'ended', '2026-11-24 12:03:17.532763', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":"asked","detail":null,"progress":null,"span":"PT3M16.851551S","hours":null,"until":null,"since":null,"amount":117564,"estimate":4300000,"estimated":false,"resource_id":null,"name":null,"gpu":null,"count":null,"end":"destroyed","paid":true,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('hbp2j', 'started', '2026-11-24 12:03:17.532763', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":"2.47","total":6175000,"envelope":1,"why":null,"detail":null,"progress":null,"span":null,"hours":"PT2H","until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('hbp2j', 'renting', '2026-11-24 12:03:17.532763', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"progress":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('hbp2j', 'accepted', '2026-11-24 12:03:17.532763', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"progress":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('hbp2j', 'ready', '2026-11-24 12:06:01.650018', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"progress":null,"span":"PT2M44.117255S","hours":null,"until":"2026-11-24T14:06:01.650018Z","since":"2026-11-24T12:03:17.532763Z","amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":"nvidia-h100-sxm5-80gb","count":1,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('hbp2j', 'lost', '2026-11-24 12:18:05.650018', '{"vendor":"hyperstack","vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":"vendor_took_it","detail":null,"progress":null,"span":"PT12M44.117255S","hours":null,"until":null,"since":null,"amount":456348,"estimate":null,"estimated":false,"resource_id":null,"name":null,"gpu":null,"count":null,"end":"lost","paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('3hkzx', 'started', '2026-11-24 12:18:05.650018', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":"2.47","total":6175000,"envelope":1,"why":null,"detail":null,"progress":null,"span":null,"hours":"PT2H","until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('3hkzx', 'renting', '2026-11-24 12:18:05.650018', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"progress":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('3hkzx', 'accepted', '2026-11-24 12:18:05.650018', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"progress":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('3hkzx', 'destroying', '2026-11-24 12:18:05.650018', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":null,"before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":"asked","detail":null,"progress":null,"span":null,"hours":null,"until":null,"since":null,"amount":0,"estimate":null,"estimated":true,"resource_id":null,"name":null,"gpu":null,"count":null,"end":"cancelled","paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('3hkzx', 'ended', '2026-11-24 12:18:35.996622', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":"asked","detail":null,"progress":null,"span":"PT30S","hours":null,"until":null,"since":null,"amount":17917,"estimate":null,"estimated":false,"resource_id":null,"name":null,"gpu":null,"count":null,"end":"cancelled","paid":true,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('dbww7', 'started', '2026-11-24 12:18:35.996622', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"2.42","before":null,"before_vendor":null,"max_rate":"2.78","total":6950000,"envelope":1,"why":null,"detail":null,"progress":null,"span":null,"hours":"PT2H","until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('dbww7', 'renting', '2026-11-24 12:18:35.996622', '{"vendor":"nebius","vendor_region":"eu-north1","rate":"2.42","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"progress":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('dbww7', 'no_answer', '2026-11-24 12:18:35.996622', '{"vendor":"nebius","vendor_region":null,"rate":"2.42","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":"sold_out","detail":null,"progress":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('dbww7', 'ended', '2026-11-24 12:20:37.530937', '{"vendor":null,"vendor_region":null,"rate":null,"before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":"nothing_left","detail":null,"progress":null,"span":null,"hours":null,"until":null,"since":null,"amount":0,"estimate":null,"estimated":false,"resource_id":null,"name":null,"gpu":null,"count":null,"end":"failed","paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('ce5g5', 'asked', '2026-11-24 12:20:37.530937', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"18.40","before":null,"before_vendor":null,"max_rate":"21.16","total":137540000,"envelope":1,"why":null,"detail":null,"progress":null,"span":null,"hours":"PT6H","until":"2026-11-24T20:20:37.530937Z","since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('ce5g5', 'denied', '2026-11-24 12:20:37.530937', 'U0BEN', '{"vendor":null,"vendor_region":null,"rate":null,"before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"progress":null,"span":null,"hours":null,"until":null,"since":null,"amount":0,"estimate":null,"estimated":false,"resource_id":null,"name":null,"gpu":null,"count":null,"end":"denied","paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('ry22h', 'asked', '2026-11-24 12:20:37.530937', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"18.40","before":null,"before_vendor":null,"max_rate":"21.16","total":137540000,"envelope":1,"why":null,"detail":null,"progress":null,"span":null,"hours":"PT6H","until":"2026-11-24T20:20:37.530937Z","since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('ry22h', 'withdrawn', '2026-11-24 12:20:37.530937', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":null,"before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"progress":null,"span":null,"hours":null,"until":null,"since":null,"amount":0,"estimate":null,"estimated":false,"resource_id":null,"name":null,"gpu":null,"count":null,"end":"withdrawn","paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('dxhkp', 'asked', '2026-11-24 12:20:37.530937', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"18.40","before":null,"before_vendor":null,"max_rate":"21.16","total":137540000,"envelope":1,"why":null,"detail":null,"progress":null,"span":null,"hours":"PT6H","until":"2026-11-24T20:20:37.530937Z","since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('dxhkp', 'lapsed', '2026-11-24 20:20:37.530937', '{"vendor":null,"vendor_region":null,"rate":null,"before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"progress":null,"span":null,"hours":null,"until":null,"since":null,"amount":0,"estimate":null,"estimated":false,"resource_id":null,"name":null,"gpu":null,"count":null,"end":"lapsed","paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('xhtgb', 'started', '2026-11-24 20:20:37.530937', 'U0BEN', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":"2.47","total":6175000,"envelope":1,"why":null,"detail":null,"progress":null,"span":null,"hours":"PT2H","until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('xhtgb', 'renting', '2026-11-24 20:20:37.530937', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"progress":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('xhtgb', 'accepted', '2026-11-24 20:20:37.530937', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"progress":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('xhtgb', 'ready', '2026-11-24 20:23:23.763314', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"progress":null,"span":"PT2M46.232377S","hours":null,"until":"2026-11-24T22:23:23.763314Z","since":"2026-11-24T20:20:37.530937Z","amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":"nvidia-h100-sxm5-80gb","count":1,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('xhtgb', 'extended', '2026-11-24 20:28:23.763314', 'U0BEN', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":"2.47","total":7086778,"envelope":2,"why":null,"detail":null,"progress":null,"span":"PT1H","hours":"PT3H","until":"2026-11-24T23:23:23.763314Z","since":"2026-11-24T22:23:23.763314Z","amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('47a78', 'started', '2026-11-24 20:28:23.763314', 'U0CLEO', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":"2.47","total":6175000,"envelope":1,"why":null,"detail":null,"progress":null,"span":null,"hours":"PT2H","until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('47a78', 'renting', '2026-11-24 20:28:23.763314', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"progress":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('47a78', 'accepted', '2026-11-24 20:28:23.763314', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"progress":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('47a78', 'ready', '2026-11-24 20:31:08.028542', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"progress":null,"span":"PT2M44.265228S","hours":null,"until":"2026-11-24T22:31:08.028542Z","since":"2026-11-24T20:28:23.763314Z","amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":"nvidia-h100-sxm5-80gb","count":1,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('47a78', 'destroying', '2026-11-24 20:31:08.028542', 'U0CLEO', '{"vendor":null,"vendor_region":null,"rate":null,"before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":"asked","detail":null,"progress":null,"span":null,"hours":null,"until":null,"since":null,"amount":98103,"estimate":null,"estimated":false,"resource_id":null,"name":null,"gpu":null,"count":null,"end":"destroyed","paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('qqa64', 'started', '2026-11-24 20:31:08.028542', 'U0BEN', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":"2.47","total":6175000,"envelope":1,"why":null,"detail":null,"progress":null,"span":null,"hours":"PT2H","until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('qqa64', 'renting', '2026-11-24 20:31:08.028542', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"progress":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('qqa64', 'accepted', '2026-11-24 20:31:08.028542', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"progress":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('hsd5f', 'asked', '2026-11-24 20:31:08.028542', 'U0CLEO', '{"vendor":null,"vendor_region":null,"rate":"18.40","before":null,"before_vendor":null,"max_rate":"21.16","total":137540000,"envelope":1,"why":null,"detail":null,"progress":null,"span":null,"hours":"PT6H","until":"2026-11-25T04:31:08.028542Z","since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('8jgcy', 'started', '2026-11-24 20:31:08.028542', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":"2.47","total":6175000,"envelope":1,"why":null,"detail":null,"progress":null,"span":null,"hours":"PT2H","until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('8jgcy', 'renting', '2026-11-24 20:31:08.028542', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"progress":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('8jgcy', 'no_answer', '2026-11-24 20:31:08.028542', '{"vendor":"hyperstack","vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":"no_answer","detail":null,"progress":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null}');

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', '9cmwhugymj6e', false, 1, 1, '', 'https://slack.test/reply', '1.0', '2026-11-24 12:00:00.000000', false, 0, false, '2026-11-24 12:00:00.000000', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', 'eau64', false, 11, 11, '', 'C0TRAIN', '2.0', '2026-11-24 12:00:00.000000', false, 0, false, '2026-11-24 12:00:00.000000', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'eau64', 2, false, 2, 2, '', 'C0TRAIN', '3.0', '2026-11-24 12:00:00.000000', false, 0, false, '2026-11-24 12:00:00.000000', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'eau64', 3, false, 3, 3, '', 'C0TRAIN', '4.0', '2026-11-24 12:00:00.000000', false, 0, false, '2026-11-24 12:00:00.000000', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'eau64', 4, true, 7, 7, '', 'C0TRAIN', '5.0', '2026-11-24 12:02:46.851551', false, 0, false, '2026-11-24 12:02:46.851551', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('direct', 'U0ANA', 'eau64', 4, false, 11, 11, '', 'U0ANA', '6.0', '2026-11-24 12:02:46.851551', false, 0, false, '2026-11-24 12:02:46.851551', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'eau64', 5, false, 8, 8, '', 'C0TRAIN', '7.0', '2026-11-24 12:02:46.851551', false, 0, false, '2026-11-24 12:02:46.851551', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'eau64', 6, false, 11, 11, '', 'C0TRAIN', '8.0', '2026-11-24 12:03:17.532763', false, 0, false, '2026-11-24 12:03:17.532763', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('direct', 'U0ANA', 'eau64', 6, false, 11, 11, '', 'U0ANA', '9.0', '2026-11-24 12:03:17.532763', false, 0, false, '2026-11-24 12:03:17.532763', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'bv3nfxaz8u2j', false, 1, 1, '', 'https://slack.test/reply', '10.0', '2026-11-24 12:03:17.532763', false, 0, false, '2026-11-24 12:03:17.532763', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', 'hbp2j', false, 11, 11, '', 'C0TRAIN', '11.0', '2026-11-24 12:03:17.532763', false, 0, false, '2026-11-24 12:03:17.532763', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'hbp2j', 8, false, 2, 2, '', 'C0TRAIN', '12.0', '2026-11-24 12:03:17.532763', false, 0, false, '2026-11-24 12:03:17.532763', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'hbp2j', 9, false, 3, 3, '', 'C0TRAIN', '13.0', '2026-11-24 12:03:17.532763', false, 0, false, '2026-11-24 12:03:17.532763', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'hbp2j', 10, true, 7, 7, '', 'C0TRAIN', '14.0', '2026-11-24 12:06:01.650018', false, 0, false, '2026-11-24 12:06:01.650018', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('direct', 'U0ANA', 'hbp2j', 10, false, 11, 11, '', 'U0ANA', '15.0', '2026-11-24 12:06:01.650018', false, 0, false, '2026-11-24 12:06:01.650018', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'hbp2j', 11, false, 11, 11, '', 'C0TRAIN', '16.0', '2026-11-24 12:18:05.650018', false, 0, false, '2026-11-24 12:18:05.650018', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('direct', 'U0ANA', 'hbp2j', 11, false, 11, 11, '', 'U0ANA', '17.0', '2026-11-24 12:18:05.650018', false, 0, false, '2026-11-24 12:18:05.650018', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'yz57d39mmtgd', false, 1, 1, '', 'https://slack.test/reply', '18.0', '2026-11-24 12:18:05.650018', false, 0, false, '2026-11-24 12:18:05.650018', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', '3hkzx', false, 7, 7, '', 'C0TRAIN', '19.0', '2026-11-24 12:18:05.650018', false, 0, false, '2026-11-24 12:18:05.650018', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '3hkzx', 13, false, 2, 2, '', 'C0TRAIN', '20.0', '2026-11-24 12:18:05.650018', false, 0, false, '2026-11-24 12:18:05.650018', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '3hkzx', 14, false, 3, 3, '', 'C0TRAIN', '21.0', '2026-11-24 12:18:05.650018', false, 0, false, '2026-11-24 12:18:05.650018', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '3hkzx', 15, false, 4, 4, '', 'C0TRAIN', '22.0', '2026-11-24 12:18:05.650018', false, 0, false, '2026-11-24 12:18:05.650018', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '3hkzx', 16, false, 7, 7, '', 'C0TRAIN', '23.0', '2026-11-24 12:18:35.996622', false, 0, false, '2026-11-24 12:18:35.996622', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('direct', 'U0ANA', '3hkzx', 16, false, 7, 7, '', 'U0ANA', '24.0', '2026-11-24 12:18:35.996622', false, 0, false, '2026-11-24 12:18:35.996622', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', '5v43fsqn2fcn', false, 1, 1, '', 'https://slack.test/reply', '25.0', '2026-11-24 12:18:35.996622', false, 0, false, '2026-11-24 12:18:35.996622', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', 'dbww7', false, 5, 5, '', 'C0TRAIN', '26.0', '2026-11-24 12:18:35.996622', false, 0, false, '2026-11-24 12:18:35.996622', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'dbww7', 18, false, 2, 2, '', 'C0TRAIN', '27.0', '2026-11-24 12:18:35.996622', false, 0, false, '2026-11-24 12:18:35.996622', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'dbww7', 19, false, 3, 3, '', 'C0TRAIN', '28.0', '2026-11-24 12:18:35.996622', false, 0, false, '2026-11-24 12:18:35.996622', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'dbww7', 20, false, 5, 5, '', 'C0TRAIN', '29.0', '2026-11-24 12:20:37.530937', false, 0, false, '2026-11-24 12:20:37.530937', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('direct', 'U0ANA', 'dbww7', 20, false, 5, 5, '', 'U0ANA', '30.0', '2026-11-24 12:20:37.530937', false, 0, false, '2026-11-24 12:20:37.530937', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'vhp2fe8rz4zu', false, 1, 1, '', 'https://slack.test/reply', '31.0', '2026-11-24 12:20:37.530937', false, 0, false, '2026-11-24 12:20:37.530937', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'zmt6jcbwsnr9', false, 1, 1, '', 'https://slack.test/reply', '32.0', '2026-11-24 12:20:37.530937', false, 0, false, '2026-11-24 12:20:37.530937', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', 'ce5g5', false, 2, 2, '', 'C0TRAIN', '33.0', '2026-11-24 12:20:37.530937', false, 0, false, '2026-11-24 12:20:37.530937', false);

INSERT INTO messages (kind, "to", rental_id, event_id, envelope, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('approval', 'C0HOME', 'ce5g5', 21, 1, false, 2, 2, '', 'C0HOME', '34.0', '2026-11-24 12:20:37.530937', false, 0, false, '2026-11-24 12:20:37.530937', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'ce5g5', 22, false, 2, 2, '', 'C0TRAIN', '35.0', '2026-11-24 12:20:37.530937', false, 0, false, '2026-11-24 12:20:37.530937', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('direct', 'U0ANA', 'ce5g5', 22, false, 2, 2, '', 'U0ANA', '36.0', '2026-11-24 12:20:37.530937', false, 0, false, '2026-11-24 12:20:37.530937', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'raneryqh2srx', false, 1, 1, '', 'https://slack.test/reply', '37.0', '2026-11-24 12:20:37.530937', false, 0, false, '2026-11-24 12:20:37.530937', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', 'ry22h', false, 2, 2, '', 'C0TRAIN', '38.0', '2026-11-24 12:20:37.530937', false, 0, false, '2026-11-24 12:20:37.530937', false);

INSERT INTO messages (kind, "to", rental_id, event_id, envelope, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('approval', 'C0HOME', 'ry22h', 23, 1, false, 2, 2, '', 'C0HOME', '39.0', '2026-11-24 12:20:37.530937', false, 0, false, '2026-11-24 12:20:37.530937', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'ry22h', 24, false, 2, 2, '', 'C0TRAIN', '40.0', '2026-11-24 12:20:37.530937', false, 0, false, '2026-11-24 12:20:37.530937', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'vu6xwx95qg2m', false, 1, 1, '', 'https://slack.test/reply', '41.0', '2026-11-24 12:20:37.530937', false, 0, false, '2026-11-24 12:20:37.530937', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', 'dxhkp', false, 2, 2, '', 'C0TRAIN', '42.0', '2026-11-24 12:20:37.530937', false, 0, false, '2026-11-24 12:20:37.530937', false);

INSERT INTO messages (kind, "to", rental_id, event_id, envelope, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('approval', 'C0HOME', 'dxhkp', 25, 1, false, 2, 2, '', 'C0HOME', '43.0', '2026-11-24 12:20:37.530937', false, 0, false, '2026-11-24 12:20:37.530937', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'dxhkp', 26, false, 2, 2, '', 'C0TRAIN', '44.0', '2026-11-24 20:20:37.530937', false, 0, false, '2026-11-24 20:20:37.530937', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('direct', 'U0ANA', 'dxhkp', 26, false, 2, 2, '', 'U0ANA', '45.0', '2026-11-24 20:20:37.530937', false, 0, false, '2026-11-24 20:20:37.530937', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'c6bqvct76age', false, 1, 1, '', 'https://slack.test/reply', '46.0', '2026-11-24 20:20:37.530937', false, 0, false, '2026-11-24 20:20:37.530937', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', 'xhtgb', false, 10, 10, '', 'C0TRAIN', '47.0', '2026-11-24 20:20:37.530937', false, 0, false, '2026-11-24 20:20:37.530937', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'xhtgb', 28, false, 2, 2, '', 'C0TRAIN', '48.0', '2026-11-24 20:20:37.530937', false, 0, false, '2026-11-24 20:20:37.530937', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'xhtgb', 29, false, 3, 3, '', 'C0TRAIN', '49.0', '2026-11-24 20:20:37.530937', false, 0, false, '2026-11-24 20:20:37.530937', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'xhtgb', 30, true, 7, 7, '', 'C0TRAIN', '50.0', '2026-11-24 20:23:23.763314', false, 0, false, '2026-11-24 20:23:23.763314', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('direct', 'U0BEN', 'xhtgb', 30, false, 10, 10, '', 'U0BEN', '51.0', '2026-11-24 20:23:23.763314', false, 0, false, '2026-11-24 20:23:23.763314', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'xhtgb', 31, false, 9, 9, '', 'C0TRAIN', '52.0', '2026-11-24 20:28:23.763314', false, 0, false, '2026-11-24 20:28:23.763314', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', '4bb29stda3cn', false, 1, 1, '', 'https://slack.test/reply', '53.0', '2026-11-24 20:28:23.763314', false, 0, false, '2026-11-24 20:28:23.763314', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', '47a78', false, 9, 9, '', 'C0TRAIN', '54.0', '2026-11-24 20:28:23.763314', false, 0, false, '2026-11-24 20:28:23.763314', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '47a78', 33, false, 2, 2, '', 'C0TRAIN', '55.0', '2026-11-24 20:28:23.763314', false, 0, false, '2026-11-24 20:28:23.763314', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '47a78', 34, false, 3, 3, '', 'C0TRAIN', '56.0', '2026-11-24 20:28:23.763314', false, 0, false, '2026-11-24 20:28:23.763314', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '47a78', 35, true, 7, 7, '', 'C0TRAIN', '57.0', '2026-11-24 20:31:08.028542', false, 0, false, '2026-11-24 20:31:08.028542', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('direct', 'U0CLEO', '47a78', 35, false, 9, 9, '', 'U0CLEO', '58.0', '2026-11-24 20:31:08.028542', false, 0, false, '2026-11-24 20:31:08.028542', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '47a78', 36, false, 8, 8, '', 'C0TRAIN', '59.0', '2026-11-24 20:31:08.028542', false, 0, false, '2026-11-24 20:31:08.028542', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'jcagrtc37uh3', false, 1, 1, '', 'https://slack.test/reply', '60.0', '2026-11-24 20:31:08.028542', false, 0, false, '2026-11-24 20:31:08.028542', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', 'qqa64', false, 3, 3, '', 'C0TRAIN', '61.0', '2026-11-24 20:31:08.028542', false, 0, false, '2026-11-24 20:31:08.028542', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'qqa64', 38, false, 2, 2, '', 'C0TRAIN', '62.0', '2026-11-24 20:31:08.028542', false, 0, false, '2026-11-24 20:31:08.028542', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'qqa64', 39, false, 3, 3, '', 'C0TRAIN', '63.0', '2026-11-24 20:31:08.028542', false, 0, false, '2026-11-24 20:31:08.028542', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'zyakcfxv7dyb', false, 1, 1, '', 'https://slack.test/reply', '64.0', '2026-11-24 20:31:08.028542', false, 0, false, '2026-11-24 20:31:08.028542', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', 'hsd5f', false, 1, 1, '', 'C0TRAIN', '65.0', '2026-11-24 20:31:08.028542', false, 0, false, '2026-11-24 20:31:08.028542', false);

INSERT INTO messages (kind, "to", rental_id, event_id, envelope, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('approval', 'C0HOME', 'hsd5f', 40, 1, false, 1, 1, '', 'C0HOME', '66.0', '2026-11-24 20:31:08.028542', false, 0, false, '2026-11-24 20:31:08.028542', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'g3frdvkbagk3', false, 1, 1, '', 'https://slack.test/reply', '67.0', '2026-11-24 20:31:08.028542', false, 0, false, '2026-11-24 20:31:08.028542', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', '8jgcy', false, 3, 3, '', 'C0TRAIN', '68.0', '2026-11-24 20:31:08.028542', false, 0, false, '2026-11-24 20:31:08.028542', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '8jgcy', 42, false, 2, 2, '', 'C0TRAIN', '69.0', '2026-11-24 20:31:08.028542', false, 0, false, '2026-11-24 20:31:08.028542', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '8jgcy', 43, false, 3, 3, '', 'C0TRAIN', '70.0', '2026-11-24 20:31:08.028542', false, 0, false, '2026-11-24 20:31:08.028542', false);

INSERT INTO resources (resource_id, rental_id, attempt, status, first_seen, read_at, rate, valid_from, valid_to, host, port, delete_accepted_at, gone_at, last_answer)
VALUES ('584b4cc1-950a-4d5a-ac3f-5097966abd02', 'eau64', 1, 'deleted', '2026-11-24 12:00:00.000000', '2026-11-24 12:03:17.532763', '2.15', '2026-11-24 12:00:00.000000', '2026-11-24 12:03:16.851551', '127.0.0.1', 39129, '2026-11-24 12:02:46.851551', '2026-11-24 12:03:16.851551', '');

INSERT INTO resources (resource_id, rental_id, attempt, status, first_seen, read_at, rate, valid_from, valid_to, host, port, gone_at, last_answer)
VALUES ('ce804648-029b-46c6-8d1d-137ccdebf855', 'hbp2j', 1, 'deleted', '2026-11-24 12:03:17.532763', '2026-11-24 12:18:05.650018', '2.15', '2026-11-24 12:03:17.532763', '2026-11-24 12:16:01.650018', '127.0.0.1', 34391, '2026-11-24 12:16:01.650018', '');

INSERT INTO resources (resource_id, rental_id, attempt, status, first_seen, read_at, rate, valid_from, valid_to, delete_accepted_at, gone_at, last_answer)
VALUES ('4986272e-bdd2-4a53-8c32-18f838133d7d', '3hkzx', 1, 'deleted', '2026-11-24 12:18:05.650018', '2026-11-24 12:18:35.996622', '2.15', '2026-11-24 12:18:05.650018', '2026-11-24 12:18:35.650018', '2026-11-24 12:18:05.650018', '2026-11-24 12:18:35.650018', '');

INSERT INTO resources (resource_id, rental_id, attempt, status, first_seen, read_at, rate, valid_from, host, port, last_answer)
VALUES ('49576820-add5-447d-aa7c-99aa3d1a3ac8', 'xhtgb', 1, 'running', '2026-11-24 20:20:37.530937', '2026-11-24 20:28:23.763314', '2.15', '2026-11-24 20:20:37.530937', '127.0.0.1', 38031, '');

INSERT INTO resources (resource_id, rental_id, attempt, status, first_seen, read_at, rate, valid_from, host, port, last_answer)
VALUES ('48ae6046-2784-4b56-94bf-2bcc630c3adc', '47a78', 1, 'running', '2026-11-24 20:28:23.763314', '2026-11-24 20:31:08.028542', '2.15', '2026-11-24 20:28:23.763314', '127.0.0.1', 36623, 'Compute Clear has a fault (503): the service answered 503.');

INSERT INTO resources (resource_id, rental_id, attempt, status, first_seen, read_at, last_answer)
VALUES ('8c1cb197-6a73-4802-b878-34403d41ce9b', 'qqa64', 1, 'named', '2026-11-24 20:31:08.028542', '2026-11-24 20:31:08.028542', '');

INSERT INTO ledger (resource_id, n, rental_id, owner, started_at, ended_at, rate, amount, estimated)
VALUES ('584b4cc1-950a-4d5a-ac3f-5097966abd02', 1, 'eau64', 'U0ANA', '2026-11-24 12:00:00.000000', '2026-11-24 12:03:16.851551', '2.15', 117564, false);

INSERT INTO ledger (resource_id, n, rental_id, owner, started_at, ended_at, rate, amount, estimated)
VALUES ('ce804648-029b-46c6-8d1d-137ccdebf855', 1, 'hbp2j', 'U0ANA', '2026-11-24 12:03:17.532763', '2026-11-24 12:16:01.650018', '2.15', 456348, false);

INSERT INTO ledger (resource_id, n, rental_id, owner, started_at, ended_at, rate, amount, estimated)
VALUES ('4986272e-bdd2-4a53-8c32-18f838133d7d', 1, '3hkzx', 'U0ANA', '2026-11-24 12:18:05.650018', '2026-11-24 12:18:35.650018', '2.15', 17917, false);
