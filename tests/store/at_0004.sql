-- Rentals in every state, as a gpubot with schema 0004 stored them. Dumped from SQLite; both databases accept this
-- SQL.

INSERT INTO keys (user_id, line, comment, fingerprint, set_at)
VALUES ('U0ANA', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEscA03hUGiM0bJx6jxOQlsrTYZwAfOG/E1zVY+/Vmsg', 'ana@laptop', 'SHA256:Mv7FsYo4wMUg/c30+ohP2mE8JZTM7CQZyVpGXd/h6kI', '2026-11-24 12:00:00.000000');

INSERT INTO keys (user_id, line, comment, fingerprint, set_at)
VALUES ('U0BEN', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHIMlh30ArUHF0ONBCIyxJsY9IED+Zhg0s3mxMhSGOka', 'ben@desk', 'SHA256:oEONwCFTX1IgHONlNTwNEtM6cSUzWGdLG2GSQpeMZyE', '2026-11-24 12:00:00.000000');

INSERT INTO keys (user_id, line, comment, fingerprint, set_at)
VALUES ('U0CLEO', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPkO/qpdjmKk6BJreZfPpiRbNkZLtDuwIW/I6ErKTMG7', '', 'SHA256:6eFZqw04J2Js1P/YG/trYhYxAANpNRTcS5NhcweW5aw', '2026-11-24 12:00:00.000000');

INSERT INTO people (id, name, tz, guest, deactivated, outsider, bot, groups, asked_at)
VALUES ('U0ANA', 'Ana', 'UTC', false, false, false, false, '[]', '2026-11-24 12:00:00.000000');

INSERT INTO people (id, name, tz, guest, deactivated, outsider, bot, groups, asked_at)
VALUES ('U0BEN', 'Ben', 'UTC', false, false, false, false, '[]', '2026-11-24 12:00:00.000000');

INSERT INTO people (id, name, tz, guest, deactivated, outsider, bot, groups, asked_at)
VALUES ('U0CLEO', 'Cleo', 'UTC', false, false, false, false, '[]', '2026-11-24 12:00:00.000000');

INSERT INTO people (id, name, tz, guest, deactivated, outsider, bot, groups, asked_at)
VALUES ('U0DORA', 'Dora', 'UTC', false, false, false, false, '[]', '2026-11-24 12:00:00.000000');

INSERT INTO account (name, value)
VALUES ('paused', 'U0CLEO');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('xavxwtfv93ug', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', false, 'https://slack.test/reply', false, '2026-11-24 12:00:15.000000', '2026-11-24 12:00:15.000000', '[{"offer_id":"ede94d3a-cf82-45f0-a15d-943b8c78a95b","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"18.40","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-24T12:30:15Z"},{"offer_id":"f291b070-d500-4f44-8397-c6003cc055df","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"19.36","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-24T12:30:15Z"},{"offer_id":"092c38f4-939e-48f5-bd34-9a26af7a3dc4","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"datacrunch","region":"EU","vendor_region":"FIN-01","contract":"ondemand","rate":"25.528","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-24T12:30:15Z"},{"offer_id":"c4f52e93-67eb-4454-9ef5-41f5ff5c4319","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"runpod","region":"EU","vendor_region":"EU-RO-1","contract":"ondemand","rate":"26.3992","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-24T12:30:15Z"},{"offer_id":"66c710da-6114-41e2-b7de-c582e21b61f1","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"scaleway","region":"EU","vendor_region":"fr-par-2","contract":"ondemand","rate":"26.88","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-24T12:30:15Z"},{"offer_id":"b0d04286-f31e-4201-9a17-5eb4d68a9c42","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"crusoe","region":"EU","vendor_region":"eu-iceland1-a","contract":"ondemand","rate":"28.40","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-24T12:30:15Z"},{"offer_id":"0d3b44fc-9357-422e-94fd-69d49c0c932d","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"coreweave","region":"EU","vendor_region":"EU-SOUTH-03","contract":"ondemand","rate":"32.88","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-24T12:30:15Z"}]', '[]', 'mjhj8');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('rbx3566zyw3p', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', false, 'https://slack.test/reply', false, '2026-11-24 12:00:30.000000', '2026-11-24 12:00:30.000000', '[{"offer_id":"b3b6f0af-ec2e-4ff3-98ff-9260441da25d","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"18.40","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-24T12:30:30Z"},{"offer_id":"45987d4b-f8ee-4f52-a949-0380d0a0b77c","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"19.36","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-24T12:30:30Z"},{"offer_id":"140e115a-ea31-4ecb-b216-aae4688888d6","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"datacrunch","region":"EU","vendor_region":"FIN-01","contract":"ondemand","rate":"25.528","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-24T12:30:30Z"},{"offer_id":"12eba458-3846-47b0-baad-83496076b939","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"runpod","region":"EU","vendor_region":"EU-RO-1","contract":"ondemand","rate":"26.3992","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-24T12:30:30Z"},{"offer_id":"eac26c3c-8ed1-487d-8b10-beef5f19d8c1","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"scaleway","region":"EU","vendor_region":"fr-par-2","contract":"ondemand","rate":"26.88","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-24T12:30:30Z"},{"offer_id":"c50b7777-9504-447d-8958-71719edc0db3","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"crusoe","region":"EU","vendor_region":"eu-iceland1-a","contract":"ondemand","rate":"28.40","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-24T12:30:30Z"},{"offer_id":"1bd3ce23-f2ea-4712-8583-31981f87a62a","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"coreweave","region":"EU","vendor_region":"EU-SOUTH-03","contract":"ondemand","rate":"32.88","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-24T12:30:30Z"}]', '[]', 'zq29m');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('hpxtyjkqg3cv', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', false, 'https://slack.test/reply', false, '2026-11-24 12:00:45.000000', '2026-11-24 12:00:45.000000', '[{"offer_id":"00cd47e3-e304-4340-a8ee-a17e3f25f2c9","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"18.40","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-24T12:30:45Z"},{"offer_id":"779e59d0-d01b-472c-b20d-f0ad3b7352ba","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"19.36","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-24T12:30:45Z"},{"offer_id":"e409595d-daab-48d6-a191-f90b7825c544","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"datacrunch","region":"EU","vendor_region":"FIN-01","contract":"ondemand","rate":"25.528","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-24T12:30:45Z"},{"offer_id":"ffcfdde4-178c-4a0e-bddb-74cfe4a32fe2","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"runpod","region":"EU","vendor_region":"EU-RO-1","contract":"ondemand","rate":"26.3992","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-24T12:30:45Z"},{"offer_id":"5af0aab5-27a3-4aa8-ac3f-67204276c7df","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"scaleway","region":"EU","vendor_region":"fr-par-2","contract":"ondemand","rate":"26.88","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-24T12:30:45Z"},{"offer_id":"fc6b8fbc-f388-48d9-8987-0716625cc02a","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"crusoe","region":"EU","vendor_region":"eu-iceland1-a","contract":"ondemand","rate":"28.40","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-24T12:30:45Z"},{"offer_id":"e619a0ee-b996-4854-9013-8d1588b79ed4","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"coreweave","region":"EU","vendor_region":"EU-SOUTH-03","contract":"ondemand","rate":"32.88","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-24T12:30:45Z"}]', '[]', '3zha9');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('mzd2dhjwn2ur', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', false, 'https://slack.test/reply', false, '2026-11-24 20:00:45.000000', '2026-11-24 20:00:45.000000', '[{"offer_id":"88c233f6-abe0-4d75-ba7a-be4a5eb709fc","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:30:45Z"},{"offer_id":"ca5f4140-0f17-4c6f-8cc9-9dbfc4d691d5","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"2.42","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:30:45Z"},{"offer_id":"8b860ece-4658-4fe4-9eec-6ea5050ef4c0","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"scaleway","region":"EU","vendor_region":"fr-par-2","contract":"ondemand","rate":"3.11","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:30:45Z"},{"offer_id":"7759e57e-953e-45a4-a1f7-3f4500daba13","gpu":"nvidia-h100-pcie-80gb","family":"H100","count":1,"vendor":"vultr","region":"EU","vendor_region":"fra","contract":"ondemand","rate":"3.120","vcpus":26,"memory_gb":"200","disk_gb":"100","expires_at":"2026-11-24T20:30:45Z"},{"offer_id":"8507a555-8c9c-4941-9c17-e2123267eb24","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"datacrunch","region":"EU","vendor_region":"FIN-01","contract":"ondemand","rate":"3.191","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:30:45Z"},{"offer_id":"a853d878-9e31-4376-88dd-040465260de3","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"runpod","region":"EU","vendor_region":"EU-RO-1","contract":"ondemand","rate":"3.2999","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:30:45Z"},{"offer_id":"1648a511-0897-45a6-ba44-65cc28ebc170","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"crusoe","region":"EU","vendor_region":"eu-iceland1-a","contract":"ondemand","rate":"3.55","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:30:45Z"},{"offer_id":"719aa969-404d-4830-a3b0-dfd4f659284f","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"coreweave","region":"EU","vendor_region":"EU-SOUTH-03","contract":"ondemand","rate":"4.11","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:30:45Z"}]', '[]', '6mwf4');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('3j7a23sr9v38', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', false, 'https://slack.test/reply', false, '2026-11-24 20:04:14.656366', '2026-11-24 20:04:14.656366', '[{"offer_id":"86c4a221-190d-482b-b6ed-ffec6d720c59","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:34:14.656366Z"},{"offer_id":"2946c738-99b9-4058-a265-21599ee40339","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"2.42","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:34:14.656366Z"},{"offer_id":"f5bbce81-7f63-4eda-a6c9-0fa25039a3e9","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"scaleway","region":"EU","vendor_region":"fr-par-2","contract":"ondemand","rate":"3.11","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:34:14.656366Z"},{"offer_id":"c908569f-58cf-4c04-a0b1-233c691a0345","gpu":"nvidia-h100-pcie-80gb","family":"H100","count":1,"vendor":"vultr","region":"EU","vendor_region":"fra","contract":"ondemand","rate":"3.120","vcpus":26,"memory_gb":"200","disk_gb":"100","expires_at":"2026-11-24T20:34:14.656366Z"},{"offer_id":"23ce1228-8bb6-406e-8c9b-6570885ee464","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"datacrunch","region":"EU","vendor_region":"FIN-01","contract":"ondemand","rate":"3.191","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:34:14.656366Z"},{"offer_id":"124c800f-0d4f-4b94-89ad-ab5f18d49bc7","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"runpod","region":"EU","vendor_region":"EU-RO-1","contract":"ondemand","rate":"3.2999","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:34:14.656366Z"},{"offer_id":"aba20917-0959-433f-801f-178136576fc6","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"crusoe","region":"EU","vendor_region":"eu-iceland1-a","contract":"ondemand","rate":"3.55","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:34:14.656366Z"},{"offer_id":"44855405-452a-4016-b1c7-ab8486ded5c2","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"coreweave","region":"EU","vendor_region":"EU-SOUTH-03","contract":"ondemand","rate":"4.11","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:34:14.656366Z"}]', '[]', 'ka64h');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('xqx7szynjbsp', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"hyperstack","max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', false, 'https://slack.test/reply', false, '2026-11-24 20:05:13.290615', '2026-11-24 20:07:27.450874', '[{"offer_id":"aa65679d-84ce-4e09-8136-0ab6af2b1f02","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:37:27.450874Z"}]', '[]', 'strhp');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('byd8eek7d4fv', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', false, 'https://slack.test/reply', false, '2026-11-24 20:07:27.450874', '2026-11-24 20:07:27.450874', '[{"offer_id":"4cf2e9e2-bccd-45cd-8253-c4dc2f2a8b07","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:37:27.450874Z"},{"offer_id":"526e8add-dcbd-41ac-8bd0-76f6098535ee","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"2.42","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:37:27.450874Z"},{"offer_id":"9d750921-35bb-4681-b4bd-df16e5d56430","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"scaleway","region":"EU","vendor_region":"fr-par-2","contract":"ondemand","rate":"3.11","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:37:27.450874Z"},{"offer_id":"cc51324e-6d7c-4ecc-8241-d8bca800d0f0","gpu":"nvidia-h100-pcie-80gb","family":"H100","count":1,"vendor":"vultr","region":"EU","vendor_region":"fra","contract":"ondemand","rate":"3.120","vcpus":26,"memory_gb":"200","disk_gb":"100","expires_at":"2026-11-24T20:37:27.450874Z"},{"offer_id":"d9719733-9b0d-4ed0-9b64-d7af5cc13198","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"datacrunch","region":"EU","vendor_region":"FIN-01","contract":"ondemand","rate":"3.191","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:37:27.450874Z"},{"offer_id":"f76ef472-4886-433c-a10c-c69cb75be595","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"runpod","region":"EU","vendor_region":"EU-RO-1","contract":"ondemand","rate":"3.2999","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:37:27.450874Z"},{"offer_id":"c4d8189b-10a6-4b2a-a646-db491065a298","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"crusoe","region":"EU","vendor_region":"eu-iceland1-a","contract":"ondemand","rate":"3.55","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:37:27.450874Z"},{"offer_id":"4fc43e7d-5ad3-4ff4-b934-56337283a6f7","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"coreweave","region":"EU","vendor_region":"EU-SOUTH-03","contract":"ondemand","rate":"4.11","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:37:27.450874Z"}]', '[]', '57pvn');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('jjmheyrt9fyd', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"P1D","note":""}', false, 'https://slack.test/reply', false, '2026-11-24 20:13:13.568370', '2026-11-24 20:13:13.568370', '[{"offer_id":"ac91e270-e07f-45ac-a92d-792b7b1a65ac","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:43:13.568370Z"},{"offer_id":"297f7f9b-e031-4a08-b432-ff9be474dbe9","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"2.42","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:43:13.568370Z"},{"offer_id":"3a172d51-ee6d-42da-a834-4af0b6c7731f","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"scaleway","region":"EU","vendor_region":"fr-par-2","contract":"ondemand","rate":"3.11","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:43:13.568370Z"},{"offer_id":"bab22905-e978-43a6-a003-b59ceba6c259","gpu":"nvidia-h100-pcie-80gb","family":"H100","count":1,"vendor":"vultr","region":"EU","vendor_region":"fra","contract":"ondemand","rate":"3.120","vcpus":26,"memory_gb":"200","disk_gb":"100","expires_at":"2026-11-24T20:43:13.568370Z"},{"offer_id":"50abd6b2-458d-438f-a3c0-fd127402e206","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"datacrunch","region":"EU","vendor_region":"FIN-01","contract":"ondemand","rate":"3.191","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:43:13.568370Z"},{"offer_id":"19c9b68d-05c3-482d-971e-a62dcfccdc65","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"runpod","region":"EU","vendor_region":"EU-RO-1","contract":"ondemand","rate":"3.2999","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:43:13.568370Z"},{"offer_id":"aaae9867-1a76-4f19-b8da-d09d6fcaa39d","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"crusoe","region":"EU","vendor_region":"eu-iceland1-a","contract":"ondemand","rate":"3.55","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:43:13.568370Z"},{"offer_id":"eb88cac4-309a-4136-8344-54a96496b3cd","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"coreweave","region":"EU","vendor_region":"EU-SOUTH-03","contract":"ondemand","rate":"4.11","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:43:13.568370Z"}]', '[]', 'tgc9d');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('hwajqg5mmfdw', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"P1D","note":""}', false, 'https://slack.test/reply', false, '2026-11-24 20:15:58.230520', '2026-11-24 20:15:58.230520', '[{"offer_id":"c69d93f7-cdd6-4cd5-bbef-48ad4a84f514","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:45:58.230520Z"},{"offer_id":"9ad61d8b-c297-4acf-9402-21737083c4b7","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"2.42","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:45:58.230520Z"},{"offer_id":"55aafa6f-78e5-485e-9044-d84685d9938d","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"scaleway","region":"EU","vendor_region":"fr-par-2","contract":"ondemand","rate":"3.11","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:45:58.230520Z"},{"offer_id":"5b2d1ad7-3f44-426e-8c19-609d0abf1377","gpu":"nvidia-h100-pcie-80gb","family":"H100","count":1,"vendor":"vultr","region":"EU","vendor_region":"fra","contract":"ondemand","rate":"3.120","vcpus":26,"memory_gb":"200","disk_gb":"100","expires_at":"2026-11-24T20:45:58.230520Z"},{"offer_id":"5b8de0a2-e81c-47c7-adc0-5bc9fd9b0af3","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"datacrunch","region":"EU","vendor_region":"FIN-01","contract":"ondemand","rate":"3.191","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:45:58.230520Z"},{"offer_id":"95f43e07-f889-4c9e-bf0f-e25785af9890","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"runpod","region":"EU","vendor_region":"EU-RO-1","contract":"ondemand","rate":"3.2999","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:45:58.230520Z"},{"offer_id":"d42bd439-ab22-46b3-bba3-5c902078d3c3","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"crusoe","region":"EU","vendor_region":"eu-iceland1-a","contract":"ondemand","rate":"3.55","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:45:58.230520Z"},{"offer_id":"1281fe98-dbc5-4b3e-873d-0c590b0837f7","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"coreweave","region":"EU","vendor_region":"EU-SOUTH-03","contract":"ondemand","rate":"4.11","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:45:58.230520Z"}]', '[]', '8t4s9');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('dkwn7yjdhucw', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"P1D","note":""}', false, 'https://slack.test/reply', false, '2026-11-24 20:18:43.521734', '2026-11-24 20:18:43.521734', '[{"offer_id":"0e439eb5-aa18-4917-a67c-2692558fac3c","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:48:43.521734Z"},{"offer_id":"a12ad143-de68-457b-8a82-ce1a8ad69334","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"2.42","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:48:43.521734Z"},{"offer_id":"116a74fa-194b-4204-abab-43307063b331","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"scaleway","region":"EU","vendor_region":"fr-par-2","contract":"ondemand","rate":"3.11","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:48:43.521734Z"},{"offer_id":"7f01aa7a-565f-45f7-a19a-70f273668478","gpu":"nvidia-h100-pcie-80gb","family":"H100","count":1,"vendor":"vultr","region":"EU","vendor_region":"fra","contract":"ondemand","rate":"3.120","vcpus":26,"memory_gb":"200","disk_gb":"100","expires_at":"2026-11-24T20:48:43.521734Z"},{"offer_id":"7e4d6dc3-89d7-4498-aa2f-6fb84bf531b3","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"datacrunch","region":"EU","vendor_region":"FIN-01","contract":"ondemand","rate":"3.191","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:48:43.521734Z"},{"offer_id":"dea72149-2766-42d8-85b8-5ab0f8a1d714","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"runpod","region":"EU","vendor_region":"EU-RO-1","contract":"ondemand","rate":"3.2999","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:48:43.521734Z"},{"offer_id":"93707b11-ea21-4bb6-a37d-fdc56ad86174","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"crusoe","region":"EU","vendor_region":"eu-iceland1-a","contract":"ondemand","rate":"3.55","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:48:43.521734Z"},{"offer_id":"de023d22-fa24-4abc-90a3-5eb3b7d585ef","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"coreweave","region":"EU","vendor_region":"EU-SOUTH-03","contract":"ondemand","rate":"4.11","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:48:43.521734Z"}]', '[]', 'ssd7q');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('an5v8g8kr98k', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT5H30M","note":""}', false, 'https://slack.test/reply', false, '2026-11-24 20:21:28.769671', '2026-11-24 20:21:28.769671', '[{"offer_id":"1a1c4ce4-df2a-4003-9d40-9d2d852b859b","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:51:28.769671Z"},{"offer_id":"f96f02d3-ec80-4893-9b19-e414849467d0","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"2.42","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:51:28.769671Z"},{"offer_id":"49915f31-c48a-436f-b7b4-252836c14fe2","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"scaleway","region":"EU","vendor_region":"fr-par-2","contract":"ondemand","rate":"3.11","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:51:28.769671Z"},{"offer_id":"af27f2fb-131b-4273-8003-e529eb60b89d","gpu":"nvidia-h100-pcie-80gb","family":"H100","count":1,"vendor":"vultr","region":"EU","vendor_region":"fra","contract":"ondemand","rate":"3.120","vcpus":26,"memory_gb":"200","disk_gb":"100","expires_at":"2026-11-24T20:51:28.769671Z"},{"offer_id":"df90427a-621c-4d3b-81ca-b4fd941ec621","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"datacrunch","region":"EU","vendor_region":"FIN-01","contract":"ondemand","rate":"3.191","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:51:28.769671Z"},{"offer_id":"0771858c-3c46-46e3-bc64-07aa41aacde7","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"runpod","region":"EU","vendor_region":"EU-RO-1","contract":"ondemand","rate":"3.2999","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:51:28.769671Z"},{"offer_id":"a3d0bac6-d9ea-4202-9158-f01ace87b656","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"crusoe","region":"EU","vendor_region":"eu-iceland1-a","contract":"ondemand","rate":"3.55","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:51:28.769671Z"},{"offer_id":"585ee7d9-f107-46c6-88d5-72dc19c20c00","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"coreweave","region":"EU","vendor_region":"EU-SOUTH-03","contract":"ondemand","rate":"4.11","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:51:28.769671Z"}]', '[]', 'r3x53');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('kvq9bky2mdeu', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', false, 'https://slack.test/reply', false, '2026-11-24 22:24:15.976209', '2026-11-24 22:24:15.976209', '[{"offer_id":"97d1d908-1b16-41ac-a707-2f15479c650a","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T22:54:15.976209Z"},{"offer_id":"d7d81f05-2c1e-48b9-8f55-bf3964c28865","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"2.42","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T22:54:15.976209Z"},{"offer_id":"dd991446-c89d-4732-ae61-5109777b7f30","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"scaleway","region":"EU","vendor_region":"fr-par-2","contract":"ondemand","rate":"3.11","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T22:54:15.976209Z"},{"offer_id":"a4780914-ca10-431d-84b1-efdce8c150d1","gpu":"nvidia-h100-pcie-80gb","family":"H100","count":1,"vendor":"vultr","region":"EU","vendor_region":"fra","contract":"ondemand","rate":"3.120","vcpus":26,"memory_gb":"200","disk_gb":"100","expires_at":"2026-11-24T22:54:15.976209Z"},{"offer_id":"61053f8d-41bb-4239-a7eb-c0d159f76fd0","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"datacrunch","region":"EU","vendor_region":"FIN-01","contract":"ondemand","rate":"3.191","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T22:54:15.976209Z"},{"offer_id":"e2dd7022-5a4e-47cf-bfa8-36804c57a6e3","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"runpod","region":"EU","vendor_region":"EU-RO-1","contract":"ondemand","rate":"3.2999","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T22:54:15.976209Z"},{"offer_id":"9592a4c2-a3d9-48c3-bb41-4414c5750c03","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"crusoe","region":"EU","vendor_region":"eu-iceland1-a","contract":"ondemand","rate":"3.55","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T22:54:15.976209Z"},{"offer_id":"9e86e2aa-9b6c-428b-b1a0-22310c7959d6","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"coreweave","region":"EU","vendor_region":"EU-SOUTH-03","contract":"ondemand","rate":"4.11","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T22:54:15.976209Z"}]', '[]', '3qmw8');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('ujrcsn4d49mx', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"P1D","note":""}', false, 'https://slack.test/reply', false, '2026-11-24 23:57:00.358937', '2026-11-24 23:57:00.358937', '[{"offer_id":"977afb3d-3549-49c8-bedb-6c08c5957d55","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:27:00.358937Z"},{"offer_id":"61bfab4a-91c1-485d-9423-d191abacf01f","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"2.42","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:27:00.358937Z"},{"offer_id":"69b3f50c-2774-47c5-8569-5e5d1c65a0ed","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"scaleway","region":"EU","vendor_region":"fr-par-2","contract":"ondemand","rate":"3.11","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:27:00.358937Z"},{"offer_id":"3d135a74-8e6c-4479-833c-d180c2ae9c0d","gpu":"nvidia-h100-pcie-80gb","family":"H100","count":1,"vendor":"vultr","region":"EU","vendor_region":"fra","contract":"ondemand","rate":"3.120","vcpus":26,"memory_gb":"200","disk_gb":"100","expires_at":"2026-11-25T00:27:00.358937Z"},{"offer_id":"a326e351-a679-44b2-99d2-3bd8aa3901b7","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"datacrunch","region":"EU","vendor_region":"FIN-01","contract":"ondemand","rate":"3.191","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:27:00.358937Z"},{"offer_id":"975f2e2c-411d-4821-baf7-441ddaea4600","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"runpod","region":"EU","vendor_region":"EU-RO-1","contract":"ondemand","rate":"3.2999","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:27:00.358937Z"},{"offer_id":"3be817d7-3a8c-4e97-bc4a-47ac048cdee8","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"crusoe","region":"EU","vendor_region":"eu-iceland1-a","contract":"ondemand","rate":"3.55","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:27:00.358937Z"},{"offer_id":"a91a7076-ce31-4da5-873f-8b296fe9cdb5","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"coreweave","region":"EU","vendor_region":"EU-SOUTH-03","contract":"ondemand","rate":"4.11","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:27:00.358937Z"}]', '[]', 'vnn9u');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('ay2n499k2jqv', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', false, 'https://slack.test/reply', false, '2026-11-24 23:59:58.539637', '2026-11-24 23:59:58.539637', '[{"offer_id":"b548719a-bf36-4574-a45f-52d2e406a37e","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"18.40","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:29:58.539637Z"},{"offer_id":"20714507-f0a0-46a4-97cc-b7f73bc77d24","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"19.36","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:29:58.539637Z"},{"offer_id":"5f452b80-ac69-4fde-a40d-e5a1b19a5cc0","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"datacrunch","region":"EU","vendor_region":"FIN-01","contract":"ondemand","rate":"25.528","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:29:58.539637Z"},{"offer_id":"2fc85114-806c-43e5-974c-1d79696f0000","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"runpod","region":"EU","vendor_region":"EU-RO-1","contract":"ondemand","rate":"26.3992","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:29:58.539637Z"},{"offer_id":"219f8817-617a-4179-ab48-ce4aa2d06595","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"scaleway","region":"EU","vendor_region":"fr-par-2","contract":"ondemand","rate":"26.88","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:29:58.539637Z"},{"offer_id":"ba172a81-3d41-414b-94fb-9a25791c1164","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"crusoe","region":"EU","vendor_region":"eu-iceland1-a","contract":"ondemand","rate":"28.40","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:29:58.539637Z"},{"offer_id":"c8a7ee59-e7cf-474c-814a-401ff372d126","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"coreweave","region":"EU","vendor_region":"EU-SOUTH-03","contract":"ondemand","rate":"32.88","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:29:58.539637Z"}]', '[]', '7a3nr');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('z3vdxu492b53', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', false, 'https://slack.test/reply', false, '2026-11-25 00:00:13.539637', '2026-11-25 00:00:13.539637', '[{"offer_id":"ca39096f-2adf-47cc-ac14-f6a1e0726a5c","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"18.40","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:30:13.539637Z"},{"offer_id":"5387d094-7f6f-4c85-a54e-9e103115db43","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"19.36","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:30:13.539637Z"},{"offer_id":"29df30bb-b21d-4f29-8680-94d00d8edfcc","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"datacrunch","region":"EU","vendor_region":"FIN-01","contract":"ondemand","rate":"25.528","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:30:13.539637Z"},{"offer_id":"14487cc6-e08c-48a8-b7ff-b2907d245854","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"runpod","region":"EU","vendor_region":"EU-RO-1","contract":"ondemand","rate":"26.3992","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:30:13.539637Z"},{"offer_id":"00e79b22-a8b0-4884-aaa7-835a96bc8e23","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"scaleway","region":"EU","vendor_region":"fr-par-2","contract":"ondemand","rate":"26.88","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:30:13.539637Z"},{"offer_id":"858933cb-5566-4296-a83c-f7c09a50347a","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"crusoe","region":"EU","vendor_region":"eu-iceland1-a","contract":"ondemand","rate":"28.40","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:30:13.539637Z"},{"offer_id":"1d4f701e-d100-431f-a0f0-d0ca6ad8c162","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"coreweave","region":"EU","vendor_region":"EU-SOUTH-03","contract":"ondemand","rate":"32.88","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:30:13.539637Z"}]', '[]', 'utz2p');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, changes, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('p3g3769tcgxs', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT3H","note":""}', false, 'utz2p', 'https://slack.test/reply', false, '2026-11-25 00:00:28.539637', '2026-11-25 00:00:28.539637', '[{"offer_id":"9c53a457-d49e-443c-94db-ff880add3fce","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"18.40","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:30:28.539637Z"},{"offer_id":"d7ce22d6-9482-4e3b-9157-49efef451585","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"19.36","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:30:28.539637Z"},{"offer_id":"b9c98d74-6c79-498c-a3fb-2ea2e32ef3f5","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"datacrunch","region":"EU","vendor_region":"FIN-01","contract":"ondemand","rate":"25.528","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:30:28.539637Z"},{"offer_id":"f09fdf6c-8729-4524-bd70-7599ed000ceb","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"runpod","region":"EU","vendor_region":"EU-RO-1","contract":"ondemand","rate":"26.3992","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:30:28.539637Z"},{"offer_id":"0d31b498-f0ba-4a9d-be07-9299aab8edc1","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"scaleway","region":"EU","vendor_region":"fr-par-2","contract":"ondemand","rate":"26.88","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:30:28.539637Z"},{"offer_id":"f0c44cd1-878d-4a15-b658-0db505b5a31a","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"crusoe","region":"EU","vendor_region":"eu-iceland1-a","contract":"ondemand","rate":"28.40","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:30:28.539637Z"},{"offer_id":"d117e218-cca1-4588-b965-7b2c332221a0","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"coreweave","region":"EU","vendor_region":"EU-SOUTH-03","contract":"ondemand","rate":"32.88","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:30:28.539637Z"}]', '[]', 'utz2p');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('2qs29f3crg8e', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', false, 'https://slack.test/reply', false, '2026-11-25 00:00:43.539637', '2026-11-25 00:04:59.115677', '[{"offer_id":"227ce183-ac8e-472e-9297-1da6df0eff84","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:34:59.115677Z"},{"offer_id":"5551604c-80b0-49d5-9910-8bbebab98bb3","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"2.42","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:34:59.115677Z"},{"offer_id":"158969d0-ff68-41a3-a0c5-a6bda32d9167","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"scaleway","region":"EU","vendor_region":"fr-par-2","contract":"ondemand","rate":"3.11","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:34:59.115677Z"},{"offer_id":"05c398ce-131e-44dd-899a-c18ab27f06eb","gpu":"nvidia-h100-pcie-80gb","family":"H100","count":1,"vendor":"vultr","region":"EU","vendor_region":"fra","contract":"ondemand","rate":"3.120","vcpus":26,"memory_gb":"200","disk_gb":"100","expires_at":"2026-11-25T00:34:59.115677Z"},{"offer_id":"eb85b9e7-e05f-4bd6-8ff8-6e5675aa6b71","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"datacrunch","region":"EU","vendor_region":"FIN-01","contract":"ondemand","rate":"3.191","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:34:59.115677Z"},{"offer_id":"3280a71a-bbb4-4b59-b1e5-14e9d2c221db","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"runpod","region":"EU","vendor_region":"EU-RO-1","contract":"ondemand","rate":"3.2999","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:34:59.115677Z"},{"offer_id":"87f12cf1-749f-482a-8c08-cff274c56fe8","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"crusoe","region":"EU","vendor_region":"eu-iceland1-a","contract":"ondemand","rate":"3.55","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:34:59.115677Z"},{"offer_id":"f76f5237-3440-4007-8b5a-d041b323d643","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"coreweave","region":"EU","vendor_region":"EU-SOUTH-03","contract":"ondemand","rate":"4.11","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:34:59.115677Z"}]', '[]', '4mzfk');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('3k5wcvhp74b3', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', false, 'https://slack.test/reply', false, '2026-11-25 00:05:14.115677', '2026-11-25 00:09:16.755272', '[{"offer_id":"e09e2979-32cb-48ff-af0b-57dc1ccec9aa","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"18.40","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:39:16.755272Z"},{"offer_id":"2b156ea3-1e62-4b6c-b063-3f55d18a3896","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"19.36","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:39:16.755272Z"},{"offer_id":"421e8659-f36d-4ac2-bb20-f83cfbcb17bf","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"datacrunch","region":"EU","vendor_region":"FIN-01","contract":"ondemand","rate":"25.528","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:39:16.755272Z"},{"offer_id":"60fc7e3c-eeff-470f-9dd9-34336d6d951e","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"runpod","region":"EU","vendor_region":"EU-RO-1","contract":"ondemand","rate":"26.3992","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:39:16.755272Z"},{"offer_id":"80a63bc1-0d75-4d3c-8bb3-ba7cca7240cf","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"scaleway","region":"EU","vendor_region":"fr-par-2","contract":"ondemand","rate":"26.88","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:39:16.755272Z"},{"offer_id":"10de887a-22b3-4bd4-a05b-8529372c63db","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"crusoe","region":"EU","vendor_region":"eu-iceland1-a","contract":"ondemand","rate":"28.40","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:39:16.755272Z"},{"offer_id":"57f18ba4-1fe5-4d94-832e-0cde3608c7c6","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"coreweave","region":"EU","vendor_region":"EU-SOUTH-03","contract":"ondemand","rate":"32.88","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:39:16.755272Z"}]', '[]', 'hz3tp');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('md9magahbman', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"nebius","max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"P1D","note":""}', false, 'https://slack.test/reply', false, '2026-11-25 00:09:16.755272', '2026-11-25 00:09:16.755272', '[{"offer_id":"db1722b9-a2c5-453f-afc2-3f232ae9b92a","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"2.42","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:39:16.755272Z"}]', '[]', '7hzqz');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('affe4brh2gev', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"nebius","max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', false, 'https://slack.test/reply', false, '2026-11-25 00:17:30.584140', '2026-11-25 00:17:30.584140', '[{"offer_id":"b7296548-d4dc-4f5b-b2a7-6e59f802bf73","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"2.42","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:47:30.584140Z"}]', '[]', 'g5vn5');

INSERT INTO quotes (id, state, owner, asked_in, request, rent_now, reply_url, replaces, created_at, offers, nearby)
VALUES ('6d49p67mynkt', 'waiting_for_key', 'U0DORA', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', false, 'https://slack.test/reply', false, '2026-11-25 00:17:45.584140', '[]', '[]');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('zr93vmjsdmuv', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', false, 'https://slack.test/reply', false, '2026-11-25 00:18:00.584140', '2026-11-25 00:18:00.584140', '[{"offer_id":"a63d4003-9a64-494b-a949-2b50662b3514","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:48:00.584140Z"},{"offer_id":"625de214-c4e9-46a0-9fe8-3815b6dc40f7","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"2.42","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:48:00.584140Z"},{"offer_id":"ea8ea193-cb06-4a6b-af18-e85e1f57021c","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"scaleway","region":"EU","vendor_region":"fr-par-2","contract":"ondemand","rate":"3.11","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:48:00.584140Z"},{"offer_id":"12f27681-ac62-42ba-b4be-cee7d6b1fdce","gpu":"nvidia-h100-pcie-80gb","family":"H100","count":1,"vendor":"vultr","region":"EU","vendor_region":"fra","contract":"ondemand","rate":"3.120","vcpus":26,"memory_gb":"200","disk_gb":"100","expires_at":"2026-11-25T00:48:00.584140Z"},{"offer_id":"d2b48988-6435-4084-a5a8-81e824317dfb","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"datacrunch","region":"EU","vendor_region":"FIN-01","contract":"ondemand","rate":"3.191","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:48:00.584140Z"},{"offer_id":"21198eb3-1f70-4dcf-80d9-61aec642caff","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"runpod","region":"EU","vendor_region":"EU-RO-1","contract":"ondemand","rate":"3.2999","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:48:00.584140Z"},{"offer_id":"8d33f963-b019-42b6-b93e-b03db8fabb39","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"crusoe","region":"EU","vendor_region":"eu-iceland1-a","contract":"ondemand","rate":"3.55","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:48:00.584140Z"},{"offer_id":"aec158ee-10ff-4cad-b602-4396602c8a2a","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"coreweave","region":"EU","vendor_region":"EU-SOUTH-03","contract":"ondemand","rate":"4.11","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:48:00.584140Z"}]', '[]', 'w5fbr');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('jexgcyvknxzf', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', false, 'https://slack.test/reply', false, '2026-11-25 00:18:15.584140', '2026-11-25 00:18:15.584140', '[{"offer_id":"168e727d-4115-4936-b472-529916683e53","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:48:15.584140Z"},{"offer_id":"9e76b993-70f9-4e3b-a246-309c27ac0762","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"2.42","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:48:15.584140Z"},{"offer_id":"46784640-5721-4d99-96b4-cc929a0532ba","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"scaleway","region":"EU","vendor_region":"fr-par-2","contract":"ondemand","rate":"3.11","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:48:15.584140Z"},{"offer_id":"9d8149ce-45eb-40e1-aa54-87cf81428d7c","gpu":"nvidia-h100-pcie-80gb","family":"H100","count":1,"vendor":"vultr","region":"EU","vendor_region":"fra","contract":"ondemand","rate":"3.120","vcpus":26,"memory_gb":"200","disk_gb":"100","expires_at":"2026-11-25T00:48:15.584140Z"},{"offer_id":"7004e7fc-73c6-45a6-b96a-9b6079365d49","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"datacrunch","region":"EU","vendor_region":"FIN-01","contract":"ondemand","rate":"3.191","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:48:15.584140Z"},{"offer_id":"165f51d5-46a2-4d01-b8e0-b1a46de35ea0","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"runpod","region":"EU","vendor_region":"EU-RO-1","contract":"ondemand","rate":"3.2999","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:48:15.584140Z"},{"offer_id":"57e01e20-0040-4cb8-ab9c-2ba54852d7d4","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"crusoe","region":"EU","vendor_region":"eu-iceland1-a","contract":"ondemand","rate":"3.55","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:48:15.584140Z"},{"offer_id":"2701e622-017c-456c-9a7d-53718ade0cde","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"coreweave","region":"EU","vendor_region":"EU-SOUTH-03","contract":"ondemand","rate":"4.11","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:48:15.584140Z"}]', '[]', '7dvch');

INSERT INTO quotes (id, state, owner, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby, rental_id)
VALUES ('dj7eq8yyeyd6', 'found', 'U0ANA', 'C0TRAIN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', false, 'https://slack.test/reply', false, '2026-11-25 00:18:30.584140', '2026-11-25 00:18:30.584140', '[{"offer_id":"7ea09323-81b8-46b4-8208-d1b653ddcb19","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:48:30.584140Z"},{"offer_id":"0149f8bf-6769-4f50-b462-d668bb8913e0","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"2.42","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:48:30.584140Z"},{"offer_id":"c59f74f6-6c3c-4d30-b885-e6c3f8d025a7","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"scaleway","region":"EU","vendor_region":"fr-par-2","contract":"ondemand","rate":"3.11","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:48:30.584140Z"},{"offer_id":"339e8f1e-f15b-4b57-b46c-3ae5b76d9393","gpu":"nvidia-h100-pcie-80gb","family":"H100","count":1,"vendor":"vultr","region":"EU","vendor_region":"fra","contract":"ondemand","rate":"3.120","vcpus":26,"memory_gb":"200","disk_gb":"100","expires_at":"2026-11-25T00:48:30.584140Z"},{"offer_id":"1d221bdc-6e4b-4ae2-95ef-c029766fc8db","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"datacrunch","region":"EU","vendor_region":"FIN-01","contract":"ondemand","rate":"3.191","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:48:30.584140Z"},{"offer_id":"d16a99ab-f88b-4709-a059-d805642f2c3d","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"runpod","region":"EU","vendor_region":"EU-RO-1","contract":"ondemand","rate":"3.2999","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:48:30.584140Z"},{"offer_id":"527d4bd5-2ba6-4f93-b880-9bcc3da2bd07","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"crusoe","region":"EU","vendor_region":"eu-iceland1-a","contract":"ondemand","rate":"3.55","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:48:30.584140Z"},{"offer_id":"6cb03208-23a6-42bb-b6bc-1d1d8739a598","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"coreweave","region":"EU","vendor_region":"EU-SOUTH-03","contract":"ondemand","rate":"4.11","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:48:30.584140Z"}]', '[]', '6pg5b');

INSERT INTO quotes (id, state, owner, asked_in, request, rent_now, reply_url, replaces, created_at, offers, nearby, due_at)
VALUES ('8k8a5zx3bfxc', 'looking', 'U0BEN', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', false, 'https://slack.test/reply', false, '2026-11-25 00:18:45.584140', '[]', '[]', '2026-11-25 00:19:01.355390');

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, attempts, progress, notices_given, asked_times, "end", end_by, alarms, over_at, live, cap_micros)
VALUES ('mjhj8', 2, 'denied', 'xavxwtfv93ug', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', 'ede94d3a-cf82-45f0-a15d-943b8c78a95b', '{"version":1,"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":null,"price":"18.40","max_rate":"21.16","lease":"PT2H","total":52900000}', '2026-11-24 12:00:15.000000', 0, '', 0, 0, 'denied', 'U0BEN', 0, '2026-11-24 12:00:15.000000', false, 21160000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, attempts, progress, notices_given, asked_times, "end", end_by, alarms, over_at, live, cap_micros)
VALUES ('zq29m', 2, 'withdrawn', 'rbx3566zyw3p', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', 'b3b6f0af-ec2e-4ff3-98ff-9260441da25d', '{"version":1,"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":null,"price":"18.40","max_rate":"21.16","lease":"PT2H","total":52900000}', '2026-11-24 12:00:30.000000', 0, '', 0, 0, 'withdrawn', 'U0ANA', 0, '2026-11-24 12:00:30.000000', false, 21160000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, attempts, progress, notices_given, asked_times, "end", alarms, over_at, live, cap_micros)
VALUES ('3zha9', 2, 'lapsed', 'hpxtyjkqg3cv', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', '00cd47e3-e304-4340-a8ee-a17e3f25f2c9', '{"version":1,"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":null,"price":"18.40","max_rate":"21.16","lease":"PT2H","total":52900000}', '2026-11-24 12:00:45.000000', 0, '', 0, 0, 'lapsed', 0, '2026-11-24 20:00:45.000000', false, 21160000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, procuring_since, attempts, rate, vendor, vendor_region, accepted_at, progress, host, port, ready_at, ends_at, notices_given, ask_at, asked_times, seen_at, "end", end_why, end_by, destroying_since, alarms, over_at, live, cap_micros)
VALUES ('6mwf4', 11, 'destroyed', 'mzd2dhjwn2ur', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', '88c233f6-abe0-4d75-ba7a-be4a5eb709fc', '{"version":1,"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"price":"2.15","max_rate":"2.47","lease":"PT2H","total":6175000}', '2026-11-24 20:00:45.000000', '2026-11-24 20:00:45.000000', 1, '2.15', 'hyperstack', 'nor-1', '2026-11-24 20:00:45.000000', '', '127.0.0.1', 41239, '2026-11-24 20:03:28.671698', '2026-11-24 22:03:28.671698', 1, '2026-11-24 22:03:28.671698', 0, '2026-11-24 20:03:28.671698', 'destroyed', 'asked', 'U0ANA', '2026-11-24 20:03:28.671698', 0, '2026-11-24 20:03:59.656366', false, 2470000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, procuring_since, attempts, rate, vendor, vendor_region, accepted_at, progress, notices_given, asked_times, "end", end_why, end_by, destroying_since, alarms, over_at, live, cap_micros)
VALUES ('ka64h', 8, 'cancelled', '3j7a23sr9v38', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', '86c4a221-190d-482b-b6ed-ffec6d720c59', '{"version":1,"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"price":"2.15","max_rate":"2.47","lease":"PT2H","total":6175000}', '2026-11-24 20:04:14.656366', '2026-11-24 20:04:14.656366', 1, '2.15', 'hyperstack', 'nor-1', '2026-11-24 20:04:14.656366', '', 0, 0, 'cancelled', 'asked', 'U0ANA', '2026-11-24 20:04:14.656366', 0, '2026-11-24 20:04:58.290615', false, 2470000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, procuring_since, attempts, rate, vendor, vendor_region, progress, notices_given, asked_times, "end", end_why, alarms, over_at, live, cap_micros)
VALUES ('strhp', 5, 'failed', 'xqx7szynjbsp', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"hyperstack","max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', '00a2d652-29d0-4437-9029-8eda9d8967c1', '{"version":1,"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"hyperstack","price":"2.15","max_rate":"2.47","lease":"PT2H","total":6175000}', '2026-11-24 20:05:13.290615', '2026-11-24 20:05:13.290615', 1, '2.15', 'hyperstack', 'nor-1', '', 0, 0, 'failed', 'nothing_left', 0, '2026-11-24 20:07:27.450874', false, 2470000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, procuring_since, attempts, rate, vendor, vendor_region, accepted_at, progress, host, port, ready_at, ends_at, notices_given, ask_at, asked_times, seen_at, "end", end_why, alarms, over_at, live, cap_micros)
VALUES ('57pvn', 8, 'lost', 'byd8eek7d4fv', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', '4cf2e9e2-bccd-45cd-8253-c4dc2f2a8b07', '{"version":1,"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"price":"2.15","max_rate":"2.47","lease":"PT2H","total":6175000}', '2026-11-24 20:07:27.450874', '2026-11-24 20:07:27.450874', 1, '2.15', 'hyperstack', 'nor-1', '2026-11-24 20:07:27.450874', '', '127.0.0.1', 45831, '2026-11-24 20:10:12.568370', '2026-11-24 22:10:12.568370', 1, '2026-11-24 22:10:12.568370', 0, '2026-11-24 20:10:12.568370', 'lost', 'vendor_took_it', 0, '2026-11-24 20:13:13.568370', false, 2470000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, procuring_since, attempts, rate, vendor, vendor_region, accepted_at, progress, host, port, ready_at, ends_at, notices_given, ask_at, asked_times, seen_at, alarms, due_at, live, ends_from, cap_micros)
VALUES ('tgc9d', 89, 'ready', 'jjmheyrt9fyd', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"P1D","note":""}', 'ac91e270-e07f-45ac-a92d-792b7b1a65ac', '{"version":1,"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"price":"2.15","max_rate":"2.47","lease":"P1D","total":60515000}', '2026-11-24 20:13:13.568370', '2026-11-24 20:13:13.568370', 1, '2.15', 'hyperstack', 'nor-1', '2026-11-24 20:13:13.568370', '', '127.0.0.1', 42725, '2026-11-24 20:15:58.230520', '2026-11-25 20:15:58.230520', 0, '2026-11-25 04:17:30.584140', -1, '2026-11-25 00:18:30.584140', 0, '2026-11-25 00:20:31.584140', true, '2026-11-25 20:15:58.230520', 2470000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, procuring_since, attempts, rate, vendor, vendor_region, accepted_at, progress, host, port, ready_at, ends_at, notices_given, extension, ask_at, asked_times, seen_at, alarms, due_at, live, ends_from, cap_micros)
VALUES ('8t4s9', 88, 'ready', 'hwajqg5mmfdw', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"P1D","note":""}', 'c69d93f7-cdd6-4cd5-bbef-48ad4a84f514', '{"version":1,"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"price":"2.15","max_rate":"2.47","lease":"P1D","total":60515000}', '2026-11-24 20:15:58.230520', '2026-11-24 20:15:58.230520', 1, '2.15', 'hyperstack', 'nor-1', '2026-11-24 20:15:58.230520', '', '127.0.0.1', 44441, '2026-11-24 20:18:43.521734', '2026-11-25 20:18:43.521734', 0, '{"envelope":{"version":2,"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"price":"2.15","max_rate":"2.47","lease":"P2D","total":103836216},"ends_at":"2026-11-26T20:18:43.521734Z","asked_by":"U0ANA","asked_at":"2026-11-24T23:57:00.358937Z"}', '2026-11-25 01:57:00.358937', 0, '2026-11-25 00:18:30.584140', 0, '2026-11-25 00:21:31.584140', true, '2026-11-25 20:18:43.521734', 2470000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, procuring_since, attempts, rate, vendor, vendor_region, accepted_at, progress, host, port, ready_at, ends_at, notices_given, ask_at, asked_times, seen_at, alarms, due_at, live, ends_from, cap_micros)
VALUES ('ssd7q', 87, 'ready', 'dkwn7yjdhucw', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"P1D","note":""}', '0e439eb5-aa18-4917-a67c-2692558fac3c', '{"version":2,"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"price":"2.15","max_rate":"2.47","lease":"P1DT2H","total":56536190}', '2026-11-24 20:18:43.521734', '2026-11-24 20:18:43.521734', 1, '2.15', 'hyperstack', 'nor-1', '2026-11-24 20:18:43.521734', '', '127.0.0.1', 40927, '2026-11-24 20:21:28.769671', '2026-11-25 22:21:28.769671', 0, '2026-11-25 01:57:00.358937', 0, '2026-11-25 00:18:30.584140', 0, '2026-11-25 00:21:31.584140', true, '2026-11-25 22:21:28.769671', 2470000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, procuring_since, attempts, rate, vendor, vendor_region, accepted_at, progress, host, port, ready_at, ends_at, notices_given, ask_at, asked_times, seen_at, alarms, due_at, live, ends_from, cap_micros)
VALUES ('r3x53', 85, 'ready', 'an5v8g8kr98k', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT5H30M","note":""}', '1a1c4ce4-df2a-4003-9d40-9d2d852b859b', '{"version":1,"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"price":"2.15","max_rate":"2.47","lease":"PT5H30M","total":14820000}', '2026-11-24 20:21:28.769671', '2026-11-24 20:21:28.769671', 1, '2.15', 'hyperstack', 'nor-1', '2026-11-24 20:21:28.769671', '', '127.0.0.1', 36867, '2026-11-24 20:24:15.976209', '2026-11-25 01:54:15.976209', 1, '2026-11-25 01:24:15.976209', 1, '2026-11-25 00:18:30.584140', 0, '2026-11-25 00:21:46.584140', true, '2026-11-25 01:54:15.976209', 2470000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, procuring_since, attempts, rate, vendor, vendor_region, accepted_at, progress, host, port, ready_at, ends_at, notices_given, ask_at, asked_times, seen_at, alarms, due_at, live, ends_from, cap_micros)
VALUES ('3qmw8', 44, 'ready', 'kvq9bky2mdeu', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', '97d1d908-1b16-41ac-a707-2f15479c650a', '{"version":1,"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"price":"2.15","max_rate":"2.47","lease":"PT2H","total":6175000}', '2026-11-24 22:24:15.976209', '2026-11-24 22:24:15.976209', 1, '2.15', 'hyperstack', 'nor-1', '2026-11-24 22:24:15.976209', '', '127.0.0.1', 37027, '2026-11-24 22:27:00.358937', '2026-11-25 00:27:00.358937', 2, '2026-11-25 00:27:00.358937', 0, '2026-11-25 00:18:30.584140', 0, '2026-11-25 00:21:31.584140', true, '2026-11-25 00:27:00.358937', 2470000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, procuring_since, attempts, rate, vendor, vendor_region, accepted_at, progress, host, port, ready_at, ends_at, notices_given, ask_at, asked_times, seen_at, alarms, due_at, live, ends_from, cap_micros)
VALUES ('vnn9u', 13, 'ready', 'ujrcsn4d49mx', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"P1D","note":""}', '977afb3d-3549-49c8-bedb-6c08c5957d55', '{"version":1,"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"price":"2.15","max_rate":"2.47","lease":"P1D","total":60515000}', '2026-11-24 23:57:00.358937', '2026-11-24 23:57:00.358937', 1, '2.15', 'hyperstack', 'nor-1', '2026-11-24 23:57:00.358937', '', '127.0.0.1', 44899, '2026-11-24 23:59:43.539637', '2026-11-25 23:59:43.539637', 0, '2026-11-25 01:59:43.539637', 0, '2026-11-25 00:18:30.584140', 0, '2026-11-25 00:21:01.584140', true, '2026-11-25 23:59:43.539637', 2470000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, decider, created_at, lapses_at, attempts, progress, notices_given, asked_times, alarms, due_at, live, ends_from, cap_micros)
VALUES ('7a3nr', 1, 'awaiting_approval', 'ay2n499k2jqv', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', 'b548719a-bf36-4574-a45f-52d2e406a37e', '{"version":1,"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":null,"price":"18.40","max_rate":"21.16","lease":"PT2H","total":52900000}', 'approver', '2026-11-24 23:59:58.539637', '2026-11-25 07:59:58.539637', 0, '', 0, 0, 0, '2026-11-25 07:59:58.539637', true, '2026-11-24 23:59:58.539637', 21160000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, decider, created_at, lapses_at, attempts, progress, notices_given, asked_times, alarms, due_at, live, ends_from, cap_micros)
VALUES ('utz2p', 2, 'awaiting_approval', 'p3g3769tcgxs', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT3H","note":""}', '9c53a457-d49e-443c-94db-ff880add3fce', '{"version":2,"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":null,"price":"18.40","max_rate":"21.16","lease":"PT3H","total":74060000}', 'approver', '2026-11-25 00:00:13.539637', '2026-11-25 08:00:28.539637', 0, '', 0, 0, 0, '2026-11-25 08:00:28.539637', true, '2026-11-25 00:00:13.539637', 21160000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, decider, asked_why, created_at, lapses_at, attempts, rate, vendor, vendor_region, progress, notices_given, asked_times, alarms, due_at, live, ends_from, cap_micros)
VALUES ('4mzfk', 8, 'awaiting_approval', '2qs29f3crg8e', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', '158969d0-ff68-41a3-a0c5-a6bda32d9167', '{"version":2,"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"price":"3.11","max_rate":"3.57","lease":"PT2H","total":8925000}', 'owner', 'dearer', '2026-11-25 00:00:43.539637', '2026-11-25 08:04:59.115677', 2, '2.42', 'nebius', 'eu-north1', '', 0, 0, 0, '2026-11-25 08:04:59.115677', true, '2026-11-25 00:00:43.539637', 3570000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, decider, asked_why, approved_by, created_at, lapses_at, attempts, rate, vendor, vendor_region, progress, notices_given, asked_times, alarms, due_at, live, ends_from, cap_micros)
VALUES ('hz3tp', 9, 'awaiting_approval', '3k5wcvhp74b3', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', '421e8659-f36d-4ac2-bb20-f83cfbcb17bf', '{"version":2,"gpu":"H100","count":8,"region":"EU","contract":"ondemand","vendor":null,"price":"25.528","max_rate":"29.35","lease":"PT2H","total":73375000}', 'approver', 'dearer', 'U0BEN', '2026-11-25 00:05:14.115677', '2026-11-25 08:09:16.755272', 2, '19.36', 'nebius', 'eu-north1', '', 0, 0, 0, '2026-11-25 08:09:16.755272', true, '2026-11-25 00:05:14.115677', 29350000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, procuring_since, attempts, rate, vendor, vendor_region, accepted_at, progress, host, port, ready_at, ends_at, notices_given, ask_at, asked_times, seen_at, "end", end_why, end_by, destroying_since, alarm_at, alarms, taken_on_by, due_at, live, ends_from, cap_micros)
VALUES ('7hzqz', 32, 'destroying', 'md9magahbman', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"nebius","max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"P1D","note":""}', 'db1722b9-a2c5-453f-afc2-3f232ae9b92a', '{"version":1,"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"nebius","price":"2.42","max_rate":"2.78","lease":"P1D","total":68110000}', '2026-11-25 00:09:16.755272', '2026-11-25 00:09:16.755272', 1, '2.42', 'nebius', 'eu-north1', '2026-11-25 00:09:16.755272', '', '127.0.0.1', 39327, '2026-11-25 00:12:15.584140', '2026-11-26 00:12:15.584140', 0, '2026-11-25 02:12:15.584140', 0, '2026-11-25 00:12:15.584140', 'destroyed', 'asked', 'U0ANA', '2026-11-25 00:12:15.584140', '2026-11-25 02:17:15.584140', 1, 'U0CLEO', '2026-11-25 00:19:00.113695', true, '2026-11-25 00:12:15.584140', 2780000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, procuring_since, attempts, rate, vendor, vendor_region, accepted_at, progress, notices_given, asked_times, "end", end_why, end_by, destroying_since, alarm_at, alarms, due_at, live, ends_from, cap_micros)
VALUES ('g5vn5', 6, 'destroying', 'affe4brh2gev', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"nebius","max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', 'b7296548-d4dc-4f5b-b2a7-6e59f802bf73', '{"version":1,"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":"nebius","price":"2.42","max_rate":"2.78","lease":"PT2H","total":6950000}', '2026-11-25 00:17:30.584140', '2026-11-25 00:17:30.584140', 1, '2.42', 'nebius', 'eu-north1', '2026-11-25 00:17:30.584140', '', 0, 0, 'cancelled', 'asked', 'U0ANA', '2026-11-25 00:17:30.584140', '2026-11-25 00:22:30.584140', 0, '2026-11-25 00:18:59.970531', true, '2026-11-25 00:17:30.584140', 2780000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, procuring_since, attempts, rate, vendor, vendor_region, accepted_at, progress, notices_given, asked_times, alarms, due_at, live, ends_from, cap_micros)
VALUES ('w5fbr', 3, 'provisioning', 'zr93vmjsdmuv', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', 'a63d4003-9a64-494b-a949-2b50662b3514', '{"version":1,"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"price":"2.15","max_rate":"2.47","lease":"PT2H","total":6175000}', '2026-11-25 00:18:00.584140', '2026-11-25 00:18:00.584140', 1, '2.15', 'hyperstack', 'nor-1', '2026-11-25 00:18:00.584140', '', 0, 0, 0, '2026-11-25 00:19:00.907322', true, '2026-11-25 00:18:00.584140', 2470000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, procuring_since, kept_since, attempts, rate, vendor, vendor_region, progress, notices_given, asked_times, alarms, due_at, live, ends_from, cap_micros)
VALUES ('7dvch', 4, 'procuring', 'jexgcyvknxzf', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', '168e727d-4115-4936-b472-529916683e53', '{"version":1,"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"price":"2.15","max_rate":"2.47","lease":"PT2H","total":6175000}', '2026-11-25 00:18:15.584140', '2026-11-25 00:18:15.584140', '2026-11-25 00:18:30.584140', 1, '2.15', 'hyperstack', 'nor-1', '', 0, 0, 0, '2026-11-25 00:19:00.999795', true, '2026-11-25 00:18:15.584140', 2470000);

INSERT INTO rentals (id, version, state, quote_id, owner, card_channel, request, clicked_offer, envelope, created_at, procuring_since, kept_since, kept_why, attempts, progress, notices_given, asked_times, alarms, due_at, live, ends_from, cap_micros)
VALUES ('6pg5b', 2, 'procuring', 'dj7eq8yyeyd6', 'U0ANA', 'C0TRAIN', '{"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"max_gpu_rate":null,"cap_said_per_gpu":true,"lease":"PT2H","note":""}', '7ea09323-81b8-46b4-8208-d1b653ddcb19', '{"version":1,"gpu":"H100","count":1,"region":"EU","contract":"ondemand","vendor":null,"price":"2.15","max_rate":"2.47","lease":"PT2H","total":6175000}', '2026-11-25 00:18:30.584140', '2026-11-25 00:18:30.584140', '2026-11-25 00:18:30.584140', 'paused', 0, '', 0, 0, 0, '2026-11-25 00:19:00.783270', true, '2026-11-25 00:18:30.584140', 2470000);

INSERT INTO attempts (rental_id, n, state, offer, resource_name, public_key, key_comment, intended_at, answered_at, detail, accepted, progress, delete_wanted, delete_accepted_at, late, offer_id, vendor, gpu, rate, live, ready_at)
VALUES ('6mwf4', 1, 'gone', '{"offer_id":"88c233f6-abe0-4d75-ba7a-be4a5eb709fc","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:30:45Z"}', 'gpubot-6mwf4-1', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEscA03hUGiM0bJx6jxOQlsrTYZwAfOG/E1zVY+/Vmsg', 'ana@laptop', '2026-11-24 20:00:45.000000', '2026-11-24 20:00:45.000000', '', true, '', true, '2026-11-24 20:03:28.671698', false, '88c233f6-abe0-4d75-ba7a-be4a5eb709fc', 'hyperstack', 'nvidia-h100-sxm5-80gb', '2.15', false, '2026-11-24 20:03:28.671698');

INSERT INTO attempts (rental_id, n, state, offer, resource_name, public_key, key_comment, intended_at, answered_at, detail, accepted, progress, delete_wanted, delete_accepted_at, late, offer_id, vendor, gpu, rate, live)
VALUES ('ka64h', 1, 'gone', '{"offer_id":"86c4a221-190d-482b-b6ed-ffec6d720c59","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:34:14.656366Z"}', 'gpubot-ka64h-1', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEscA03hUGiM0bJx6jxOQlsrTYZwAfOG/E1zVY+/Vmsg', 'ana@laptop', '2026-11-24 20:04:14.656366', '2026-11-24 20:04:14.656366', '', true, '', true, '2026-11-24 20:04:14.656366', false, '86c4a221-190d-482b-b6ed-ffec6d720c59', 'hyperstack', 'nvidia-h100-sxm5-80gb', '2.15', false);

INSERT INTO attempts (rental_id, n, state, offer, resource_name, public_key, key_comment, intended_at, answered_at, why, detail, accepted, progress, delete_wanted, late, empty_since, offer_id, vendor, gpu, rate, live)
VALUES ('strhp', 1, 'failed', '{"offer_id":"00a2d652-29d0-4437-9029-8eda9d8967c1","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:35:13.290615Z"}', 'gpubot-strhp-1', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEscA03hUGiM0bJx6jxOQlsrTYZwAfOG/E1zVY+/Vmsg', 'ana@laptop', '2026-11-24 20:05:13.290615', '2026-11-24 20:05:13.290615', 'sold_out', 'Insufficient capacity in nor-1', false, '', false, false, '2026-11-24 20:05:28.933620', '00a2d652-29d0-4437-9029-8eda9d8967c1', 'hyperstack', 'nvidia-h100-sxm5-80gb', '2.15', false);

INSERT INTO attempts (rental_id, n, state, offer, resource_name, public_key, key_comment, intended_at, answered_at, detail, accepted, progress, delete_wanted, late, offer_id, vendor, gpu, rate, live, ready_at)
VALUES ('57pvn', 1, 'gone', '{"offer_id":"4cf2e9e2-bccd-45cd-8253-c4dc2f2a8b07","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:37:27.450874Z"}', 'gpubot-57pvn-1', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEscA03hUGiM0bJx6jxOQlsrTYZwAfOG/E1zVY+/Vmsg', 'ana@laptop', '2026-11-24 20:07:27.450874', '2026-11-24 20:07:27.450874', '', true, '', false, false, '4cf2e9e2-bccd-45cd-8253-c4dc2f2a8b07', 'hyperstack', 'nvidia-h100-sxm5-80gb', '2.15', false, '2026-11-24 20:10:12.568370');

INSERT INTO attempts (rental_id, n, state, offer, resource_name, public_key, key_comment, intended_at, answered_at, detail, accepted, progress, delete_wanted, late, offer_id, vendor, gpu, rate, live, ready_at)
VALUES ('tgc9d', 1, 'bought', '{"offer_id":"ac91e270-e07f-45ac-a92d-792b7b1a65ac","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:43:13.568370Z"}', 'gpubot-tgc9d-1', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEscA03hUGiM0bJx6jxOQlsrTYZwAfOG/E1zVY+/Vmsg', 'ana@laptop', '2026-11-24 20:13:13.568370', '2026-11-24 20:13:13.568370', '', true, '', false, false, 'ac91e270-e07f-45ac-a92d-792b7b1a65ac', 'hyperstack', 'nvidia-h100-sxm5-80gb', '2.15', true, '2026-11-24 20:15:58.230520');

INSERT INTO attempts (rental_id, n, state, offer, resource_name, public_key, key_comment, intended_at, answered_at, detail, accepted, progress, delete_wanted, late, offer_id, vendor, gpu, rate, live, ready_at)
VALUES ('8t4s9', 1, 'bought', '{"offer_id":"c69d93f7-cdd6-4cd5-bbef-48ad4a84f514","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:45:58.230520Z"}', 'gpubot-8t4s9-1', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEscA03hUGiM0bJx6jxOQlsrTYZwAfOG/E1zVY+/Vmsg', 'ana@laptop', '2026-11-24 20:15:58.230520', '2026-11-24 20:15:58.230520', '', true, '', false, false, 'c69d93f7-cdd6-4cd5-bbef-48ad4a84f514', 'hyperstack', 'nvidia-h100-sxm5-80gb', '2.15', true, '2026-11-24 20:18:43.521734');

INSERT INTO attempts (rental_id, n, state, offer, resource_name, public_key, key_comment, intended_at, answered_at, detail, accepted, progress, delete_wanted, late, offer_id, vendor, gpu, rate, live, ready_at)
VALUES ('ssd7q', 1, 'bought', '{"offer_id":"0e439eb5-aa18-4917-a67c-2692558fac3c","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:48:43.521734Z"}', 'gpubot-ssd7q-1', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEscA03hUGiM0bJx6jxOQlsrTYZwAfOG/E1zVY+/Vmsg', 'ana@laptop', '2026-11-24 20:18:43.521734', '2026-11-24 20:18:43.521734', '', true, '', false, false, '0e439eb5-aa18-4917-a67c-2692558fac3c', 'hyperstack', 'nvidia-h100-sxm5-80gb', '2.15', true, '2026-11-24 20:21:28.769671');

INSERT INTO attempts (rental_id, n, state, offer, resource_name, public_key, key_comment, intended_at, answered_at, detail, accepted, progress, delete_wanted, late, offer_id, vendor, gpu, rate, live, ready_at)
VALUES ('r3x53', 1, 'bought', '{"offer_id":"1a1c4ce4-df2a-4003-9d40-9d2d852b859b","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T20:51:28.769671Z"}', 'gpubot-r3x53-1', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEscA03hUGiM0bJx6jxOQlsrTYZwAfOG/E1zVY+/Vmsg', 'ana@laptop', '2026-11-24 20:21:28.769671', '2026-11-24 20:21:28.769671', '', true, '', false, false, '1a1c4ce4-df2a-4003-9d40-9d2d852b859b', 'hyperstack', 'nvidia-h100-sxm5-80gb', '2.15', true, '2026-11-24 20:24:15.976209');

INSERT INTO attempts (rental_id, n, state, offer, resource_name, public_key, key_comment, intended_at, answered_at, detail, accepted, progress, delete_wanted, late, offer_id, vendor, gpu, rate, live, ready_at)
VALUES ('3qmw8', 1, 'bought', '{"offer_id":"97d1d908-1b16-41ac-a707-2f15479c650a","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-24T22:54:15.976209Z"}', 'gpubot-3qmw8-1', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEscA03hUGiM0bJx6jxOQlsrTYZwAfOG/E1zVY+/Vmsg', 'ana@laptop', '2026-11-24 22:24:15.976209', '2026-11-24 22:24:15.976209', '', true, '', false, false, '97d1d908-1b16-41ac-a707-2f15479c650a', 'hyperstack', 'nvidia-h100-sxm5-80gb', '2.15', true, '2026-11-24 22:27:00.358937');

INSERT INTO attempts (rental_id, n, state, offer, resource_name, public_key, key_comment, intended_at, answered_at, detail, accepted, progress, delete_wanted, late, offer_id, vendor, gpu, rate, live, ready_at)
VALUES ('vnn9u', 1, 'bought', '{"offer_id":"977afb3d-3549-49c8-bedb-6c08c5957d55","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:27:00.358937Z"}', 'gpubot-vnn9u-1', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEscA03hUGiM0bJx6jxOQlsrTYZwAfOG/E1zVY+/Vmsg', 'ana@laptop', '2026-11-24 23:57:00.358937', '2026-11-24 23:57:00.358937', '', true, '', false, false, '977afb3d-3549-49c8-bedb-6c08c5957d55', 'hyperstack', 'nvidia-h100-sxm5-80gb', '2.15', true, '2026-11-24 23:59:43.539637');

INSERT INTO attempts (rental_id, n, state, offer, resource_name, public_key, key_comment, intended_at, answered_at, why, detail, accepted, progress, delete_wanted, late, empty_since, offer_id, vendor, gpu, rate, live)
VALUES ('4mzfk', 1, 'failed', '{"offer_id":"fdc71028-0ce4-4148-a273-214fa9628c15","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:30:43.539637Z"}', 'gpubot-4mzfk-1', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEscA03hUGiM0bJx6jxOQlsrTYZwAfOG/E1zVY+/Vmsg', 'ana@laptop', '2026-11-25 00:00:43.539637', '2026-11-25 00:00:43.539637', 'sold_out', 'Insufficient capacity in nor-1', false, '', false, false, '2026-11-25 00:00:59.109516', 'fdc71028-0ce4-4148-a273-214fa9628c15', 'hyperstack', 'nvidia-h100-sxm5-80gb', '2.15', false);

INSERT INTO attempts (rental_id, n, state, offer, resource_name, public_key, key_comment, intended_at, answered_at, why, detail, accepted, progress, delete_wanted, late, empty_since, offer_id, vendor, gpu, rate, live)
VALUES ('4mzfk', 2, 'failed', '{"offer_id":"fdf1c83b-2b2b-4b56-b2f7-1c106f38a609","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"2.42","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:30:43.539637Z"}', 'gpubot-4mzfk-2', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEscA03hUGiM0bJx6jxOQlsrTYZwAfOG/E1zVY+/Vmsg', 'ana@laptop', '2026-11-25 00:02:56.804662', '2026-11-25 00:02:56.804662', 'sold_out', 'Insufficient capacity in eu-north1', false, '', false, false, '2026-11-25 00:03:12.089633', 'fdf1c83b-2b2b-4b56-b2f7-1c106f38a609', 'nebius', 'nvidia-h100-sxm5-80gb', '2.42', false);

INSERT INTO attempts (rental_id, n, state, offer, resource_name, public_key, key_comment, intended_at, answered_at, why, detail, accepted, progress, delete_wanted, late, empty_since, offer_id, vendor, gpu, rate, live)
VALUES ('hz3tp', 1, 'failed', '{"offer_id":"e36b784f-6aef-493d-b4dc-4868c16be701","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"18.40","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:35:14.115677Z"}', 'gpubot-hz3tp-1', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEscA03hUGiM0bJx6jxOQlsrTYZwAfOG/E1zVY+/Vmsg', 'ana@laptop', '2026-11-25 00:05:14.115677', '2026-11-25 00:05:14.115677', 'sold_out', 'Insufficient capacity in nor-1', false, '', false, false, '2026-11-25 00:05:29.339663', 'e36b784f-6aef-493d-b4dc-4868c16be701', 'hyperstack', 'nvidia-h100-sxm5-80gb', '18.40', false);

INSERT INTO attempts (rental_id, n, state, offer, resource_name, public_key, key_comment, intended_at, answered_at, why, detail, accepted, progress, delete_wanted, late, empty_since, offer_id, vendor, gpu, rate, live)
VALUES ('hz3tp', 2, 'failed', '{"offer_id":"61834b3d-81ae-42b2-bab6-1f020aca86fb","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":8,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"19.36","vcpus":224,"memory_gb":"1440","disk_gb":"800","expires_at":"2026-11-25T00:35:14.115677Z"}', 'gpubot-hz3tp-2', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEscA03hUGiM0bJx6jxOQlsrTYZwAfOG/E1zVY+/Vmsg', 'ana@laptop', '2026-11-25 00:07:14.739921', '2026-11-25 00:07:14.739921', 'sold_out', 'Insufficient capacity in eu-north1', false, '', false, false, '2026-11-25 00:07:30.697027', '61834b3d-81ae-42b2-bab6-1f020aca86fb', 'nebius', 'nvidia-h100-sxm5-80gb', '19.36', false);

INSERT INTO attempts (rental_id, n, state, offer, resource_name, public_key, key_comment, intended_at, answered_at, detail, accepted, progress, delete_wanted, late, offer_id, vendor, gpu, rate, live, ready_at)
VALUES ('7hzqz', 1, 'bought', '{"offer_id":"db1722b9-a2c5-453f-afc2-3f232ae9b92a","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"2.42","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:39:16.755272Z"}', 'gpubot-7hzqz-1', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEscA03hUGiM0bJx6jxOQlsrTYZwAfOG/E1zVY+/Vmsg', 'ana@laptop', '2026-11-25 00:09:16.755272', '2026-11-25 00:09:16.755272', '', true, '', true, false, 'db1722b9-a2c5-453f-afc2-3f232ae9b92a', 'nebius', 'nvidia-h100-sxm5-80gb', '2.42', true, '2026-11-25 00:12:15.584140');

INSERT INTO attempts (rental_id, n, state, offer, resource_name, public_key, key_comment, intended_at, answered_at, detail, accepted, progress, delete_wanted, late, offer_id, vendor, gpu, rate, live)
VALUES ('g5vn5', 1, 'bought', '{"offer_id":"b7296548-d4dc-4f5b-b2a7-6e59f802bf73","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"nebius","region":"EU","vendor_region":"eu-north1","contract":"ondemand","rate":"2.42","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:47:30.584140Z"}', 'gpubot-g5vn5-1', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEscA03hUGiM0bJx6jxOQlsrTYZwAfOG/E1zVY+/Vmsg', 'ana@laptop', '2026-11-25 00:17:30.584140', '2026-11-25 00:17:30.584140', '', true, '', true, false, 'b7296548-d4dc-4f5b-b2a7-6e59f802bf73', 'nebius', 'nvidia-h100-sxm5-80gb', '2.42', true);

INSERT INTO attempts (rental_id, n, state, offer, resource_name, public_key, key_comment, intended_at, answered_at, detail, accepted, progress, delete_wanted, late, offer_id, vendor, gpu, rate, live)
VALUES ('w5fbr', 1, 'bought', '{"offer_id":"a63d4003-9a64-494b-a949-2b50662b3514","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:48:00.584140Z"}', 'gpubot-w5fbr-1', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEscA03hUGiM0bJx6jxOQlsrTYZwAfOG/E1zVY+/Vmsg', 'ana@laptop', '2026-11-25 00:18:00.584140', '2026-11-25 00:18:00.584140', '', true, '', false, false, 'a63d4003-9a64-494b-a949-2b50662b3514', 'hyperstack', 'nvidia-h100-sxm5-80gb', '2.15', true);

INSERT INTO attempts (rental_id, n, state, offer, resource_name, public_key, key_comment, intended_at, why, detail, accepted, progress, delete_wanted, late, offer_id, vendor, gpu, rate, live)
VALUES ('7dvch', 1, 'unknown', '{"offer_id":"168e727d-4115-4936-b472-529916683e53","gpu":"nvidia-h100-sxm5-80gb","family":"H100","count":1,"vendor":"hyperstack","region":"EU","vendor_region":"nor-1","contract":"ondemand","rate":"2.15","vcpus":28,"memory_gb":"180","disk_gb":"100","expires_at":"2026-11-25T00:48:15.584140Z"}', 'gpubot-7dvch-1', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEscA03hUGiM0bJx6jxOQlsrTYZwAfOG/E1zVY+/Vmsg', 'ana@laptop', '2026-11-25 00:18:15.584140', 'no_answer', '', false, '', false, false, '168e727d-4115-4936-b472-529916683e53', 'hyperstack', 'nvidia-h100-sxm5-80gb', '2.15', true);

INSERT INTO resources (resource_id, rental_id, attempt, status, first_seen, read_at, rate, valid_from, valid_to, host, port, delete_accepted_at, gone_at, last_answer)
VALUES ('3441c57c-11d0-4dc6-863b-a2bffac984d6', '6mwf4', 1, 'deleted', '2026-11-24 20:00:45.000000', '2026-11-24 20:03:59.656366', '2.15', '2026-11-24 20:00:45.000000', '2026-11-24 20:03:58.671698', '127.0.0.1', 41239, '2026-11-24 20:03:28.671698', '2026-11-24 20:03:58.671698', '');

INSERT INTO resources (resource_id, rental_id, attempt, status, first_seen, read_at, rate, valid_from, valid_to, delete_accepted_at, gone_at, last_answer)
VALUES ('4a635218-a4fb-47d6-98a3-79462e1755bb', 'ka64h', 1, 'deleted', '2026-11-24 20:04:14.656366', '2026-11-24 20:04:58.290615', '2.15', '2026-11-24 20:04:14.656366', '2026-11-24 20:04:44.656366', '2026-11-24 20:04:14.656366', '2026-11-24 20:04:44.656366', '');

INSERT INTO resources (resource_id, rental_id, attempt, status, first_seen, read_at, rate, valid_from, valid_to, host, port, gone_at, last_answer)
VALUES ('4e6a06e0-ec8e-4cbb-8c04-0df7f2d0792c', '57pvn', 1, 'deleted', '2026-11-24 20:07:27.450874', '2026-11-24 20:13:13.568370', '2.15', '2026-11-24 20:07:27.450874', '2026-11-24 20:10:12.568370', '127.0.0.1', 45831, '2026-11-24 20:10:12.568370', '');

INSERT INTO resources (resource_id, rental_id, attempt, status, first_seen, read_at, rate, valid_from, host, port, last_answer)
VALUES ('328d91a8-0753-49cc-999c-6ec3856c4185', 'tgc9d', 1, 'running', '2026-11-24 20:13:13.568370', '2026-11-25 00:17:30.584140', '2.15', '2026-11-24 20:13:13.568370', '127.0.0.1', 42725, '');

INSERT INTO resources (resource_id, rental_id, attempt, status, first_seen, read_at, rate, valid_from, host, port, last_answer)
VALUES ('df78ebd6-467f-41fb-8e5a-03bd1cb06037', '8t4s9', 1, 'running', '2026-11-24 20:15:58.230520', '2026-11-25 00:18:30.584140', '2.15', '2026-11-24 20:15:58.230520', '127.0.0.1', 44441, '');

INSERT INTO resources (resource_id, rental_id, attempt, status, first_seen, read_at, rate, valid_from, host, port, last_answer)
VALUES ('6172a6ff-7ff4-4fd1-9520-21436557bfff', 'ssd7q', 1, 'running', '2026-11-24 20:18:43.521734', '2026-11-25 00:18:30.584140', '2.15', '2026-11-24 20:18:43.521734', '127.0.0.1', 40927, '');

INSERT INTO resources (resource_id, rental_id, attempt, status, first_seen, read_at, rate, valid_from, host, port, last_answer)
VALUES ('f656cd19-bb2d-40fb-817c-315d422a0e28', 'r3x53', 1, 'running', '2026-11-24 20:21:28.769671', '2026-11-25 00:18:45.584140', '2.15', '2026-11-24 20:21:28.769671', '127.0.0.1', 36867, '');

INSERT INTO resources (resource_id, rental_id, attempt, status, first_seen, read_at, rate, valid_from, host, port, last_answer)
VALUES ('c6fd4444-2ed2-48f2-8d95-fd49dbe95616', '3qmw8', 1, 'running', '2026-11-24 22:24:15.976209', '2026-11-25 00:18:30.584140', '2.15', '2026-11-24 22:24:15.976209', '127.0.0.1', 37027, '');

INSERT INTO resources (resource_id, rental_id, attempt, status, first_seen, read_at, rate, valid_from, host, port, last_answer)
VALUES ('ad12b197-9b58-4c8d-a21c-c0051aea6eb9', 'vnn9u', 1, 'running', '2026-11-24 23:57:00.358937', '2026-11-25 00:18:00.584140', '2.15', '2026-11-24 23:57:00.358937', '127.0.0.1', 44899, '');

INSERT INTO resources (resource_id, rental_id, attempt, status, first_seen, read_at, rate, valid_from, host, port, last_answer)
VALUES ('5d933cfb-52eb-4ecf-b4b1-0c9eb32a8c13', '7hzqz', 1, 'running', '2026-11-25 00:09:16.755272', '2026-11-25 00:17:45.584140', '2.42', '2026-11-25 00:09:16.755272', '127.0.0.1', 39327, 'Compute Clear has a fault (500): The vendor did not answer.');

INSERT INTO resources (resource_id, rental_id, attempt, status, first_seen, read_at, rate, valid_from, last_answer)
VALUES ('f88c348a-c758-49f2-8903-42ad7da1f67d', 'g5vn5', 1, 'provisioning', '2026-11-25 00:17:30.584140', '2026-11-25 00:17:45.584140', '2.42', '2026-11-25 00:17:30.584140', 'Compute Clear has a fault (500): The vendor did not answer.');

INSERT INTO resources (resource_id, rental_id, attempt, status, first_seen, read_at, last_answer)
VALUES ('03dc9371-b65b-47ac-b8a6-e941b850f967', 'w5fbr', 1, 'named', '2026-11-25 00:18:00.584140', '2026-11-25 00:18:00.584140', '');

INSERT INTO ledger (resource_id, n, rental_id, owner, started_at, ended_at, rate, amount, estimated)
VALUES ('3441c57c-11d0-4dc6-863b-a2bffac984d6', 1, '6mwf4', 'U0ANA', '2026-11-24 20:00:45.000000', '2026-11-24 20:03:58.671698', '2.15', 115665, false);

INSERT INTO ledger (resource_id, n, rental_id, owner, started_at, ended_at, rate, amount, estimated)
VALUES ('4a635218-a4fb-47d6-98a3-79462e1755bb', 1, 'ka64h', 'U0ANA', '2026-11-24 20:04:14.656366', '2026-11-24 20:04:44.656366', '2.15', 17917, false);

INSERT INTO ledger (resource_id, n, rental_id, owner, started_at, ended_at, rate, amount, estimated)
VALUES ('4e6a06e0-ec8e-4cbb-8c04-0df7f2d0792c', 1, '57pvn', 'U0ANA', '2026-11-24 20:07:27.450874', '2026-11-24 20:10:12.568370', '2.15', 98612, false);

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('mjhj8', 'asked', '2026-11-24 12:00:15.000000', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"18.40","before":null,"before_vendor":null,"max_rate":"21.16","total":52900000,"envelope":1,"why":null,"detail":null,"span":null,"hours":"PT2H","until":"2026-11-24T20:00:15Z","since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('mjhj8', 'denied', '2026-11-24 12:00:15.000000', 'U0BEN', '{"vendor":null,"vendor_region":null,"rate":null,"before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":0,"estimate":null,"estimated":false,"resource_id":null,"name":null,"gpu":null,"count":null,"end":"denied","paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('zq29m', 'asked', '2026-11-24 12:00:30.000000', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"18.40","before":null,"before_vendor":null,"max_rate":"21.16","total":52900000,"envelope":1,"why":null,"detail":null,"span":null,"hours":"PT2H","until":"2026-11-24T20:00:30Z","since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('zq29m', 'withdrawn', '2026-11-24 12:00:30.000000', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":null,"before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":0,"estimate":null,"estimated":false,"resource_id":null,"name":null,"gpu":null,"count":null,"end":"withdrawn","paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('3zha9', 'asked', '2026-11-24 12:00:45.000000', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"18.40","before":null,"before_vendor":null,"max_rate":"21.16","total":52900000,"envelope":1,"why":null,"detail":null,"span":null,"hours":"PT2H","until":"2026-11-24T20:00:45Z","since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('3zha9', 'lapsed', '2026-11-24 20:00:45.000000', '{"vendor":null,"vendor_region":null,"rate":null,"before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":0,"estimate":null,"estimated":false,"resource_id":null,"name":null,"gpu":null,"count":null,"end":"lapsed","paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('6mwf4', 'started', '2026-11-24 20:00:45.000000', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":"2.47","total":6175000,"envelope":1,"why":null,"detail":null,"span":null,"hours":"PT2H","until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('6mwf4', 'renting', '2026-11-24 20:00:45.000000', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('6mwf4', 'accepted', '2026-11-24 20:00:45.000000', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('6mwf4', 'ready', '2026-11-24 20:03:28.671698', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":"PT2M43.671698S","hours":null,"until":"2026-11-24T22:03:28.671698Z","since":"2026-11-24T20:00:45Z","amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":"nvidia-h100-sxm5-80gb","count":1,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('6mwf4', 'destroying', '2026-11-24 20:03:28.671698', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":null,"before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":"asked","detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":97748,"estimate":null,"estimated":false,"resource_id":null,"name":null,"gpu":null,"count":null,"end":"destroyed","paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('6mwf4', 'ended', '2026-11-24 20:03:59.656366', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":"asked","detail":null,"span":"PT3M13.671698S","hours":null,"until":null,"since":null,"amount":115665,"estimate":null,"estimated":false,"resource_id":null,"name":null,"gpu":null,"count":null,"end":"destroyed","paid":true,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('ka64h', 'started', '2026-11-24 20:04:14.656366', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":"2.47","total":6175000,"envelope":1,"why":null,"detail":null,"span":null,"hours":"PT2H","until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('ka64h', 'renting', '2026-11-24 20:04:14.656366', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('ka64h', 'accepted', '2026-11-24 20:04:14.656366', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('ka64h', 'destroying', '2026-11-24 20:04:14.656366', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":null,"before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":"asked","detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":"cancelled","paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('ka64h', 'ended', '2026-11-24 20:04:58.290615', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":"asked","detail":null,"span":"PT30S","hours":null,"until":null,"since":null,"amount":17917,"estimate":null,"estimated":false,"resource_id":null,"name":null,"gpu":null,"count":null,"end":"cancelled","paid":true,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('strhp', 'started', '2026-11-24 20:05:13.290615', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":"2.47","total":6175000,"envelope":1,"why":null,"detail":null,"span":null,"hours":"PT2H","until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('strhp', 'renting', '2026-11-24 20:05:13.290615', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('strhp', 'no_answer', '2026-11-24 20:05:13.290615', '{"vendor":"hyperstack","vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":"sold_out","detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('strhp', 'ended', '2026-11-24 20:07:27.450874', '{"vendor":null,"vendor_region":null,"rate":null,"before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":"nothing_left","detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":0,"estimate":null,"estimated":false,"resource_id":null,"name":null,"gpu":null,"count":null,"end":"failed","paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('57pvn', 'started', '2026-11-24 20:07:27.450874', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":"2.47","total":6175000,"envelope":1,"why":null,"detail":null,"span":null,"hours":"PT2H","until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('57pvn', 'renting', '2026-11-24 20:07:27.450874', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('57pvn', 'accepted', '2026-11-24 20:07:27.450874', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('57pvn', 'ready', '2026-11-24 20:10:12.568370', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":"PT2M45.117496S","hours":null,"until":"2026-11-24T22:10:12.568370Z","since":"2026-11-24T20:07:27.450874Z","amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":"nvidia-h100-sxm5-80gb","count":1,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('57pvn', 'lost', '2026-11-24 20:13:13.568370', '{"vendor":"hyperstack","vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":"vendor_took_it","detail":null,"span":"PT2M45.117496S","hours":null,"until":null,"since":null,"amount":98612,"estimate":null,"estimated":false,"resource_id":null,"name":null,"gpu":null,"count":null,"end":"lost","paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('tgc9d', 'started', '2026-11-24 20:13:13.568370', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":"2.47","total":60515000,"envelope":1,"why":null,"detail":null,"span":null,"hours":"P1D","until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('tgc9d', 'renting', '2026-11-24 20:13:13.568370', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('tgc9d', 'accepted', '2026-11-24 20:13:13.568370', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('tgc9d', 'ready', '2026-11-24 20:15:58.230520', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":"PT2M44.66215S","hours":null,"until":"2026-11-25T20:15:58.230520Z","since":"2026-11-24T20:13:13.568370Z","amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":"nvidia-h100-sxm5-80gb","count":1,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('8t4s9', 'started', '2026-11-24 20:15:58.230520', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":"2.47","total":60515000,"envelope":1,"why":null,"detail":null,"span":null,"hours":"P1D","until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('8t4s9', 'renting', '2026-11-24 20:15:58.230520', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('8t4s9', 'accepted', '2026-11-24 20:15:58.230520', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('8t4s9', 'ready', '2026-11-24 20:18:43.521734', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":"PT2M45.291214S","hours":null,"until":"2026-11-25T20:18:43.521734Z","since":"2026-11-24T20:15:58.230520Z","amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":"nvidia-h100-sxm5-80gb","count":1,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('ssd7q', 'started', '2026-11-24 20:18:43.521734', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":"2.47","total":60515000,"envelope":1,"why":null,"detail":null,"span":null,"hours":"P1D","until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('ssd7q', 'renting', '2026-11-24 20:18:43.521734', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('ssd7q', 'accepted', '2026-11-24 20:18:43.521734', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('ssd7q', 'ready', '2026-11-24 20:21:28.769671', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":"PT2M45.247937S","hours":null,"until":"2026-11-25T20:21:28.769671Z","since":"2026-11-24T20:18:43.521734Z","amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":"nvidia-h100-sxm5-80gb","count":1,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('r3x53', 'started', '2026-11-24 20:21:28.769671', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":"2.47","total":14820000,"envelope":1,"why":null,"detail":null,"span":null,"hours":"PT5H30M","until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('r3x53', 'renting', '2026-11-24 20:21:28.769671', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('r3x53', 'accepted', '2026-11-24 20:21:28.769671', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('r3x53', 'ready', '2026-11-24 20:24:15.976209', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":"PT2M47.206538S","hours":null,"until":"2026-11-25T01:54:15.976209Z","since":"2026-11-24T20:21:28.769671Z","amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":"nvidia-h100-sxm5-80gb","count":1,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('8t4s9', 'still_needed', '2026-11-24 22:21:28.769671', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":"PT2H","hours":null,"until":null,"since":null,"amount":4497405,"estimate":null,"estimated":false,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('ssd7q', 'still_needed', '2026-11-24 22:21:28.769671', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":"PT2H","hours":null,"until":null,"since":null,"amount":4398690,"estimate":null,"estimated":false,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('tgc9d', 'still_needed', '2026-11-24 22:21:28.769671', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":"PT2H","hours":null,"until":null,"since":null,"amount":4595745,"estimate":null,"estimated":false,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('r3x53', 'still_needed', '2026-11-24 22:24:15.976209', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":"PT2H","hours":null,"until":null,"since":null,"amount":4399859,"estimate":null,"estimated":false,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('3qmw8', 'started', '2026-11-24 22:24:15.976209', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":"2.47","total":6175000,"envelope":1,"why":null,"detail":null,"span":null,"hours":"PT2H","until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('3qmw8', 'renting', '2026-11-24 22:24:15.976209', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('3qmw8', 'accepted', '2026-11-24 22:24:15.976209', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('3qmw8', 'ready', '2026-11-24 22:27:00.358937', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":"PT2M44.382728S","hours":null,"until":"2026-11-25T00:27:00.358937Z","since":"2026-11-24T22:24:15.976209Z","amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":"nvidia-h100-sxm5-80gb","count":1,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('r3x53', 'ending', '2026-11-24 23:54:15.976209', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":"PT2H","hours":null,"until":"2026-11-25T01:54:15.976209Z","since":null,"amount":7624859,"estimate":null,"estimated":false,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('3qmw8', 'ending', '2026-11-24 23:57:00.358937', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":"PT30M","hours":null,"until":"2026-11-25T00:27:00.358937Z","since":null,"amount":3323173,"estimate":null,"estimated":false,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('ssd7q', 'extended', '2026-11-24 23:57:00.358937', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":"2.47","total":56536190,"envelope":2,"why":null,"detail":null,"span":"PT2H","hours":"P1DT2H","until":"2026-11-25T22:21:28.769671Z","since":"2026-11-25T20:21:28.769671Z","amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('8t4s9', 'extension_asked', '2026-11-24 23:57:00.358937', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":"2.47","total":103836216,"envelope":2,"why":null,"detail":null,"span":"P1D","hours":"P2D","until":"2026-11-26T20:18:43.521734Z","since":"2026-11-25T20:18:43.521734Z","amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('vnn9u', 'started', '2026-11-24 23:57:00.358937', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":"2.47","total":60515000,"envelope":1,"why":null,"detail":null,"span":null,"hours":"P1D","until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('vnn9u', 'renting', '2026-11-24 23:57:00.358937', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('vnn9u', 'accepted', '2026-11-24 23:57:00.358937', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('vnn9u', 'ready', '2026-11-24 23:59:43.539637', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":"PT2M43.1807S","hours":null,"until":"2026-11-25T23:59:43.539637Z","since":"2026-11-24T23:57:00.358937Z","amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":"nvidia-h100-sxm5-80gb","count":1,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('7a3nr', 'asked', '2026-11-24 23:59:58.539637', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"18.40","before":null,"before_vendor":null,"max_rate":"21.16","total":52900000,"envelope":1,"why":null,"detail":null,"span":null,"hours":"PT2H","until":"2026-11-25T07:59:58.539637Z","since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('utz2p', 'asked', '2026-11-25 00:00:13.539637', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"18.40","before":null,"before_vendor":null,"max_rate":"21.16","total":52900000,"envelope":1,"why":null,"detail":null,"span":null,"hours":"PT2H","until":"2026-11-25T08:00:13.539637Z","since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('utz2p', 'changed', '2026-11-25 00:00:28.539637', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"18.40","before":null,"before_vendor":null,"max_rate":"21.16","total":74060000,"envelope":2,"why":null,"detail":null,"span":null,"hours":"PT3H","until":"2026-11-25T08:00:28.539637Z","since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('4mzfk', 'started', '2026-11-25 00:00:43.539637', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":"2.47","total":6175000,"envelope":1,"why":null,"detail":null,"span":null,"hours":"PT2H","until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('4mzfk', 'renting', '2026-11-25 00:00:43.539637', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('4mzfk', 'no_answer', '2026-11-25 00:00:43.539637', '{"vendor":"hyperstack","vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":"sold_out","detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('4mzfk', 'renting', '2026-11-25 00:02:56.804662', '{"vendor":"nebius","vendor_region":"eu-north1","rate":"2.42","before":"2.15","before_vendor":"hyperstack","max_rate":null,"total":null,"envelope":null,"why":"sold_out","detail":"Insufficient capacity in nor-1","span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":false,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('4mzfk', 'no_answer', '2026-11-25 00:02:56.804662', '{"vendor":"nebius","vendor_region":null,"rate":"2.42","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":"sold_out","detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('4mzfk', 'asked_again', '2026-11-25 00:04:59.115677', '{"vendor":"scaleway","vendor_region":null,"rate":"3.11","before":"2.47","before_vendor":null,"max_rate":"3.57","total":8925000,"envelope":2,"why":"dearer","detail":null,"span":null,"hours":"PT2H","until":"2026-11-25T08:04:59.115677Z","since":null,"amount":0,"estimate":null,"estimated":false,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('hz3tp', 'asked', '2026-11-25 00:05:14.115677', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"18.40","before":null,"before_vendor":null,"max_rate":"21.16","total":52900000,"envelope":1,"why":null,"detail":null,"span":null,"hours":"PT2H","until":"2026-11-25T08:05:14.115677Z","since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('hz3tp', 'approved', '2026-11-25 00:05:14.115677', 'U0BEN', '{"vendor":null,"vendor_region":null,"rate":null,"before":null,"before_vendor":null,"max_rate":"21.16","total":52900000,"envelope":1,"why":null,"detail":null,"span":null,"hours":"PT2H","until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":false,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('hz3tp', 'renting', '2026-11-25 00:05:14.115677', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"18.40","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('hz3tp', 'no_answer', '2026-11-25 00:05:14.115677', '{"vendor":"hyperstack","vendor_region":null,"rate":"18.40","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":"sold_out","detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('hz3tp', 'renting', '2026-11-25 00:07:14.739921', '{"vendor":"nebius","vendor_region":"eu-north1","rate":"19.36","before":"18.40","before_vendor":"hyperstack","max_rate":null,"total":null,"envelope":null,"why":"sold_out","detail":"Insufficient capacity in nor-1","span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":false,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('hz3tp', 'no_answer', '2026-11-25 00:07:14.739921', '{"vendor":"nebius","vendor_region":null,"rate":"19.36","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":"sold_out","detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('hz3tp', 'asked_again', '2026-11-25 00:09:16.755272', '{"vendor":"datacrunch","vendor_region":null,"rate":"25.528","before":"21.16","before_vendor":null,"max_rate":"29.35","total":73375000,"envelope":2,"why":"dearer","detail":null,"span":null,"hours":"PT2H","until":"2026-11-25T08:09:16.755272Z","since":null,"amount":0,"estimate":null,"estimated":false,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('7hzqz', 'started', '2026-11-25 00:09:16.755272', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"2.42","before":null,"before_vendor":null,"max_rate":"2.78","total":68110000,"envelope":1,"why":null,"detail":null,"span":null,"hours":"P1D","until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('7hzqz', 'renting', '2026-11-25 00:09:16.755272', '{"vendor":"nebius","vendor_region":"eu-north1","rate":"2.42","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('7hzqz', 'accepted', '2026-11-25 00:09:16.755272', '{"vendor":"nebius","vendor_region":"eu-north1","rate":"2.42","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('7hzqz', 'ready', '2026-11-25 00:12:15.584140', '{"vendor":"nebius","vendor_region":"eu-north1","rate":"2.42","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":"PT2M58.828868S","hours":null,"until":"2026-11-26T00:12:15.584140Z","since":"2026-11-25T00:09:16.755272Z","amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":"nvidia-h100-sxm5-80gb","count":1,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('7hzqz', 'destroying', '2026-11-25 00:12:15.584140', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":null,"before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":"asked","detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":120213,"estimate":null,"estimated":false,"resource_id":null,"name":null,"gpu":null,"count":null,"end":"destroyed","paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('7hzqz', 'not_confirmed', '2026-11-25 00:17:15.584140', '{"vendor":"nebius","vendor_region":null,"rate":"2.42","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":"Compute Clear has a fault (500): The vendor did not answer.","span":null,"hours":null,"until":null,"since":"2026-11-25T00:12:15.584140Z","amount":null,"estimate":null,"estimated":null,"resource_id":"5d933cfb-52eb-4ecf-b4b1-0c9eb32a8c13","name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('7hzqz', 'taken_on', '2026-11-25 00:17:15.584140', 'U0CLEO', '{"vendor":null,"vendor_region":null,"rate":null,"before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('g5vn5', 'started', '2026-11-25 00:17:30.584140', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"2.42","before":null,"before_vendor":null,"max_rate":"2.78","total":6950000,"envelope":1,"why":null,"detail":null,"span":null,"hours":"PT2H","until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('g5vn5', 'renting', '2026-11-25 00:17:30.584140', '{"vendor":"nebius","vendor_region":"eu-north1","rate":"2.42","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('g5vn5', 'accepted', '2026-11-25 00:17:30.584140', '{"vendor":"nebius","vendor_region":"eu-north1","rate":"2.42","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('g5vn5', 'destroying', '2026-11-25 00:17:30.584140', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":null,"before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":"asked","detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":"cancelled","paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('tgc9d', 'kept', '2026-11-25 00:17:30.584140', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":null,"before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":"PT4H","hours":null,"until":"2026-11-25T04:17:30.584140Z","since":"2026-11-25T20:15:58.230520Z","amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('w5fbr', 'started', '2026-11-25 00:18:00.584140', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":"2.47","total":6175000,"envelope":1,"why":null,"detail":null,"span":null,"hours":"PT2H","until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('w5fbr', 'renting', '2026-11-25 00:18:00.584140', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('w5fbr', 'accepted', '2026-11-25 00:18:00.584140', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('7dvch', 'started', '2026-11-25 00:18:15.584140', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":"2.47","total":6175000,"envelope":1,"why":null,"detail":null,"span":null,"hours":"PT2H","until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('7dvch', 'renting', '2026-11-25 00:18:15.584140', '{"vendor":"hyperstack","vendor_region":"nor-1","rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('7dvch', 'no_answer', '2026-11-25 00:18:15.584140', '{"vendor":"hyperstack","vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":"no_answer","detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, actor, facts)
VALUES ('6pg5b', 'started', '2026-11-25 00:18:30.584140', 'U0ANA', '{"vendor":null,"vendor_region":null,"rate":"2.15","before":null,"before_vendor":null,"max_rate":"2.47","total":6175000,"envelope":1,"why":null,"detail":null,"span":null,"hours":"PT2H","until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (kind, at, actor, facts)
VALUES ('paused', '2026-11-25 00:18:30.584140', 'U0CLEO', '{"vendor":null,"vendor_region":null,"rate":null,"before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":null,"detail":null,"span":null,"hours":null,"until":null,"since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO events (rental_id, kind, at, facts)
VALUES ('6pg5b', 'waiting', '2026-11-25 00:18:30.584140', '{"vendor":null,"vendor_region":null,"rate":null,"before":null,"before_vendor":null,"max_rate":null,"total":null,"envelope":null,"why":"paused","detail":null,"span":null,"hours":null,"until":"2026-11-25T00:33:30.584140Z","since":null,"amount":null,"estimate":null,"estimated":null,"resource_id":null,"name":null,"gpu":null,"count":null,"end":null,"paid":null,"self_approved":null,"number":null}');

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'xavxwtfv93ug', false, 1, 1, '', 'https://slack.test/reply', '1.0', '2026-11-24 12:00:15.000000', false, 0, false, '2026-11-24 12:00:15.000000', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', 'mjhj8', false, 2, 2, '', 'C0TRAIN', '2.0', '2026-11-24 12:00:15.000000', false, 0, false, '2026-11-24 12:00:15.000000', false);

INSERT INTO messages (kind, "to", rental_id, event_id, envelope, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('approval', 'C0HOME', 'mjhj8', 1, 1, false, 2, 2, '', 'C0HOME', '3.0', '2026-11-24 12:00:15.000000', false, 0, false, '2026-11-24 12:00:15.000000', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'mjhj8', 2, false, 2, 2, '', 'C0TRAIN', '4.0', '2026-11-24 12:00:15.000000', false, 0, false, '2026-11-24 12:00:15.000000', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('direct', 'U0ANA', 'mjhj8', 2, false, 2, 2, '', 'U0ANA', '5.0', '2026-11-24 12:00:15.000000', false, 0, false, '2026-11-24 12:00:15.000000', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'rbx3566zyw3p', false, 1, 1, '', 'https://slack.test/reply', '6.0', '2026-11-24 12:00:30.000000', false, 0, false, '2026-11-24 12:00:30.000000', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', 'zq29m', false, 2, 2, '', 'C0TRAIN', '7.0', '2026-11-24 12:00:30.000000', false, 0, false, '2026-11-24 12:00:30.000000', false);

INSERT INTO messages (kind, "to", rental_id, event_id, envelope, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('approval', 'C0HOME', 'zq29m', 3, 1, false, 2, 2, '', 'C0HOME', '8.0', '2026-11-24 12:00:30.000000', false, 0, false, '2026-11-24 12:00:30.000000', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'zq29m', 4, false, 2, 2, '', 'C0TRAIN', '9.0', '2026-11-24 12:00:30.000000', false, 0, false, '2026-11-24 12:00:30.000000', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'hpxtyjkqg3cv', false, 1, 1, '', 'https://slack.test/reply', '10.0', '2026-11-24 12:00:45.000000', false, 0, false, '2026-11-24 12:00:45.000000', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', '3zha9', false, 2, 2, '', 'C0TRAIN', '11.0', '2026-11-24 12:00:45.000000', false, 0, false, '2026-11-24 12:00:45.000000', false);

INSERT INTO messages (kind, "to", rental_id, event_id, envelope, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('approval', 'C0HOME', '3zha9', 5, 1, false, 2, 2, '', 'C0HOME', '12.0', '2026-11-24 12:00:45.000000', false, 0, false, '2026-11-24 12:00:45.000000', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '3zha9', 6, false, 2, 2, '', 'C0TRAIN', '13.0', '2026-11-24 20:00:45.000000', false, 0, false, '2026-11-24 20:00:45.000000', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('direct', 'U0ANA', '3zha9', 6, false, 2, 2, '', 'U0ANA', '14.0', '2026-11-24 20:00:45.000000', false, 0, false, '2026-11-24 20:00:45.000000', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'mzd2dhjwn2ur', false, 1, 1, '', 'https://slack.test/reply', '15.0', '2026-11-24 20:00:45.000000', false, 0, false, '2026-11-24 20:00:45.000000', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', '6mwf4', false, 11, 11, '', 'C0TRAIN', '16.0', '2026-11-24 20:00:45.000000', false, 0, false, '2026-11-24 20:00:45.000000', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '6mwf4', 8, false, 2, 2, '', 'C0TRAIN', '17.0', '2026-11-24 20:00:45.000000', false, 0, false, '2026-11-24 20:00:45.000000', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '6mwf4', 9, false, 3, 3, '', 'C0TRAIN', '18.0', '2026-11-24 20:00:45.000000', false, 0, false, '2026-11-24 20:00:45.000000', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '6mwf4', 10, true, 7, 7, '', 'C0TRAIN', '19.0', '2026-11-24 20:03:28.671698', false, 0, false, '2026-11-24 20:03:28.671698', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('direct', 'U0ANA', '6mwf4', 10, false, 11, 11, '', 'U0ANA', '20.0', '2026-11-24 20:03:28.671698', false, 0, false, '2026-11-24 20:03:28.671698', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '6mwf4', 11, false, 8, 8, '', 'C0TRAIN', '21.0', '2026-11-24 20:03:28.671698', false, 0, false, '2026-11-24 20:03:28.671698', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '6mwf4', 12, false, 11, 11, '', 'C0TRAIN', '22.0', '2026-11-24 20:03:59.656366', false, 0, false, '2026-11-24 20:03:59.656366', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('direct', 'U0ANA', '6mwf4', 12, false, 11, 11, '', 'U0ANA', '23.0', '2026-11-24 20:03:59.656366', false, 0, false, '2026-11-24 20:03:59.656366', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', '3j7a23sr9v38', false, 1, 1, '', 'https://slack.test/reply', '24.0', '2026-11-24 20:04:14.656366', false, 0, false, '2026-11-24 20:04:14.656366', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', 'ka64h', false, 8, 8, '', 'C0TRAIN', '25.0', '2026-11-24 20:04:14.656366', false, 0, false, '2026-11-24 20:04:14.656366', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'ka64h', 14, false, 2, 2, '', 'C0TRAIN', '26.0', '2026-11-24 20:04:14.656366', false, 0, false, '2026-11-24 20:04:14.656366', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'ka64h', 15, false, 3, 3, '', 'C0TRAIN', '27.0', '2026-11-24 20:04:14.656366', false, 0, false, '2026-11-24 20:04:14.656366', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'ka64h', 16, false, 4, 4, '', 'C0TRAIN', '28.0', '2026-11-24 20:04:14.656366', false, 0, false, '2026-11-24 20:04:14.656366', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'ka64h', 17, false, 8, 8, '', 'C0TRAIN', '29.0', '2026-11-24 20:04:58.290615', false, 0, false, '2026-11-24 20:04:58.290615', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('direct', 'U0ANA', 'ka64h', 17, false, 8, 8, '', 'U0ANA', '30.0', '2026-11-24 20:04:58.290615', false, 0, false, '2026-11-24 20:04:58.290615', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'xqx7szynjbsp', false, 1, 1, '', 'https://slack.test/reply', '31.0', '2026-11-24 20:05:13.290615', false, 0, false, '2026-11-24 20:05:13.290615', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', 'strhp', false, 5, 5, '', 'C0TRAIN', '32.0', '2026-11-24 20:05:13.290615', false, 0, false, '2026-11-24 20:05:13.290615', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'strhp', 19, false, 2, 2, '', 'C0TRAIN', '33.0', '2026-11-24 20:05:13.290615', false, 0, false, '2026-11-24 20:05:13.290615', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'strhp', 20, false, 3, 3, '', 'C0TRAIN', '34.0', '2026-11-24 20:05:13.290615', false, 0, false, '2026-11-24 20:05:13.290615', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'strhp', 21, false, 5, 5, '', 'C0TRAIN', '35.0', '2026-11-24 20:07:27.450874', false, 0, false, '2026-11-24 20:07:27.450874', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('direct', 'U0ANA', 'strhp', 21, false, 5, 5, '', 'U0ANA', '36.0', '2026-11-24 20:07:27.450874', false, 0, false, '2026-11-24 20:07:27.450874', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'byd8eek7d4fv', false, 1, 1, '', 'https://slack.test/reply', '37.0', '2026-11-24 20:07:27.450874', false, 0, false, '2026-11-24 20:07:27.450874', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', '57pvn', false, 8, 8, '', 'C0TRAIN', '38.0', '2026-11-24 20:07:27.450874', false, 0, false, '2026-11-24 20:07:27.450874', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '57pvn', 23, false, 2, 2, '', 'C0TRAIN', '39.0', '2026-11-24 20:07:27.450874', false, 0, false, '2026-11-24 20:07:27.450874', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '57pvn', 24, false, 3, 3, '', 'C0TRAIN', '40.0', '2026-11-24 20:07:27.450874', false, 0, false, '2026-11-24 20:07:27.450874', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '57pvn', 25, true, 7, 7, '', 'C0TRAIN', '41.0', '2026-11-24 20:10:12.568370', false, 0, false, '2026-11-24 20:10:12.568370', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('direct', 'U0ANA', '57pvn', 25, false, 8, 8, '', 'U0ANA', '42.0', '2026-11-24 20:10:12.568370', false, 0, false, '2026-11-24 20:10:12.568370', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '57pvn', 26, false, 8, 8, '', 'C0TRAIN', '43.0', '2026-11-24 20:13:13.568370', false, 0, false, '2026-11-24 20:13:13.568370', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('direct', 'U0ANA', '57pvn', 26, false, 8, 8, '', 'U0ANA', '44.0', '2026-11-24 20:13:13.568370', false, 0, false, '2026-11-24 20:13:13.568370', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'jjmheyrt9fyd', false, 1, 1, '', 'https://slack.test/reply', '45.0', '2026-11-24 20:13:13.568370', false, 0, false, '2026-11-24 20:13:13.568370', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', 'tgc9d', false, 89, 89, '', 'C0TRAIN', '46.0', '2026-11-24 20:13:13.568370', false, 0, false, '2026-11-24 20:13:13.568370', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'tgc9d', 28, false, 2, 2, '', 'C0TRAIN', '47.0', '2026-11-24 20:13:13.568370', false, 0, false, '2026-11-24 20:13:13.568370', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'tgc9d', 29, false, 3, 3, '', 'C0TRAIN', '48.0', '2026-11-24 20:13:13.568370', false, 0, false, '2026-11-24 20:13:13.568370', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'tgc9d', 30, true, 7, 7, '', 'C0TRAIN', '49.0', '2026-11-24 20:15:58.230520', false, 0, false, '2026-11-24 20:15:58.230520', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('direct', 'U0ANA', 'tgc9d', 30, false, 89, 89, '', 'U0ANA', '50.0', '2026-11-24 20:15:58.230520', false, 0, false, '2026-11-24 20:15:58.230520', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'hwajqg5mmfdw', false, 1, 1, '', 'https://slack.test/reply', '51.0', '2026-11-24 20:15:58.230520', false, 0, false, '2026-11-24 20:15:58.230520', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, due_at, urgent)
VALUES ('card', 'C0TRAIN', '8t4s9', false, 88, 87, '', 'C0TRAIN', '52.0', '2026-11-24 20:15:58.230520', false, 0, false, '2026-11-24 20:15:58.230520', '2026-11-25 00:18:30.584140', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '8t4s9', 32, false, 2, 2, '', 'C0TRAIN', '53.0', '2026-11-24 20:15:58.230520', false, 0, false, '2026-11-24 20:15:58.230520', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '8t4s9', 33, false, 3, 3, '', 'C0TRAIN', '54.0', '2026-11-24 20:15:58.230520', false, 0, false, '2026-11-24 20:15:58.230520', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '8t4s9', 34, true, 7, 7, '', 'C0TRAIN', '55.0', '2026-11-24 20:18:43.521734', false, 0, false, '2026-11-24 20:18:43.521734', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, due_at, urgent)
VALUES ('direct', 'U0ANA', '8t4s9', 34, false, 88, 87, '', 'U0ANA', '56.0', '2026-11-24 20:18:43.521734', false, 0, false, '2026-11-24 20:18:43.521734', '2026-11-25 00:18:30.584140', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'dkwn7yjdhucw', false, 1, 1, '', 'https://slack.test/reply', '57.0', '2026-11-24 20:18:43.521734', false, 0, false, '2026-11-24 20:18:43.521734', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, due_at, urgent)
VALUES ('card', 'C0TRAIN', 'ssd7q', false, 87, 86, '', 'C0TRAIN', '58.0', '2026-11-24 20:18:43.521734', false, 0, false, '2026-11-24 20:18:43.521734', '2026-11-25 00:18:30.584140', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'ssd7q', 36, false, 2, 2, '', 'C0TRAIN', '59.0', '2026-11-24 20:18:43.521734', false, 0, false, '2026-11-24 20:18:43.521734', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'ssd7q', 37, false, 3, 3, '', 'C0TRAIN', '60.0', '2026-11-24 20:18:43.521734', false, 0, false, '2026-11-24 20:18:43.521734', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'ssd7q', 38, true, 7, 7, '', 'C0TRAIN', '61.0', '2026-11-24 20:21:28.769671', false, 0, false, '2026-11-24 20:21:28.769671', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, due_at, urgent)
VALUES ('direct', 'U0ANA', 'ssd7q', 38, false, 87, 86, '', 'U0ANA', '62.0', '2026-11-24 20:21:28.769671', false, 0, false, '2026-11-24 20:21:28.769671', '2026-11-25 00:18:30.584140', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'an5v8g8kr98k', false, 1, 1, '', 'https://slack.test/reply', '63.0', '2026-11-24 20:21:28.769671', false, 0, false, '2026-11-24 20:21:28.769671', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, due_at, urgent)
VALUES ('card', 'C0TRAIN', 'r3x53', false, 85, 84, '', 'C0TRAIN', '64.0', '2026-11-24 20:21:28.769671', false, 0, false, '2026-11-24 20:21:28.769671', '2026-11-25 00:18:45.584140', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'r3x53', 40, false, 2, 2, '', 'C0TRAIN', '65.0', '2026-11-24 20:21:28.769671', false, 0, false, '2026-11-24 20:21:28.769671', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'r3x53', 41, false, 3, 3, '', 'C0TRAIN', '66.0', '2026-11-24 20:21:28.769671', false, 0, false, '2026-11-24 20:21:28.769671', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'r3x53', 42, true, 7, 7, '', 'C0TRAIN', '67.0', '2026-11-24 20:24:15.976209', false, 0, false, '2026-11-24 20:24:15.976209', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, due_at, urgent)
VALUES ('direct', 'U0ANA', 'r3x53', 42, false, 85, 84, '', 'U0ANA', '68.0', '2026-11-24 20:24:15.976209', false, 0, false, '2026-11-24 20:24:15.976209', '2026-11-25 00:18:45.584140', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, due_at, urgent)
VALUES ('direct', 'U0ANA', '8t4s9', 43, false, 88, 87, '', 'U0ANA', '69.0', '2026-11-24 22:21:28.769671', false, 0, false, '2026-11-24 22:21:28.769671', '2026-11-25 00:18:30.584140', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, due_at, urgent)
VALUES ('direct', 'U0ANA', 'ssd7q', 44, false, 87, 86, '', 'U0ANA', '70.0', '2026-11-24 22:21:28.769671', false, 0, false, '2026-11-24 22:21:28.769671', '2026-11-25 00:18:30.584140', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('direct', 'U0ANA', 'tgc9d', 45, false, 89, 89, '', 'U0ANA', '71.0', '2026-11-24 22:21:28.769671', false, 0, false, '2026-11-24 22:21:28.769671', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, due_at, urgent)
VALUES ('direct', 'U0ANA', 'r3x53', 46, false, 85, 84, '', 'U0ANA', '72.0', '2026-11-24 22:24:15.976209', false, 0, false, '2026-11-24 22:24:15.976209', '2026-11-25 00:18:45.584140', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'kvq9bky2mdeu', false, 1, 1, '', 'https://slack.test/reply', '73.0', '2026-11-24 22:24:15.976209', false, 0, false, '2026-11-24 22:24:15.976209', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, due_at, urgent)
VALUES ('card', 'C0TRAIN', '3qmw8', false, 44, 43, '', 'C0TRAIN', '74.0', '2026-11-24 22:24:15.976209', false, 0, false, '2026-11-24 22:24:15.976209', '2026-11-25 00:18:30.584140', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '3qmw8', 48, false, 2, 2, '', 'C0TRAIN', '75.0', '2026-11-24 22:24:15.976209', false, 0, false, '2026-11-24 22:24:15.976209', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '3qmw8', 49, false, 3, 3, '', 'C0TRAIN', '76.0', '2026-11-24 22:24:15.976209', false, 0, false, '2026-11-24 22:24:15.976209', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '3qmw8', 50, true, 7, 7, '', 'C0TRAIN', '77.0', '2026-11-24 22:27:00.358937', false, 0, false, '2026-11-24 22:27:00.358937', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, due_at, urgent)
VALUES ('direct', 'U0ANA', '3qmw8', 50, false, 44, 43, '', 'U0ANA', '78.0', '2026-11-24 22:27:00.358937', false, 0, false, '2026-11-24 22:27:00.358937', '2026-11-25 00:18:30.584140', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, due_at, urgent)
VALUES ('direct', 'U0ANA', 'r3x53', 51, false, 85, 84, '', 'U0ANA', '79.0', '2026-11-24 23:54:15.976209', false, 0, false, '2026-11-24 23:54:15.976209', '2026-11-25 00:18:45.584140', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, due_at, urgent)
VALUES ('direct', 'U0ANA', '3qmw8', 52, false, 44, 43, '', 'U0ANA', '80.0', '2026-11-24 23:57:00.358937', false, 0, false, '2026-11-24 23:57:00.358937', '2026-11-25 00:18:30.584140', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'ssd7q', 53, false, 79, 79, '', 'C0TRAIN', '81.0', '2026-11-24 23:57:00.358937', false, 0, false, '2026-11-24 23:57:00.358937', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '8t4s9', 54, false, 80, 80, '', 'C0TRAIN', '82.0', '2026-11-24 23:57:00.358937', false, 0, false, '2026-11-24 23:57:00.358937', false);

INSERT INTO messages (kind, "to", rental_id, event_id, envelope, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, due_at, urgent)
VALUES ('approval', 'C0HOME', '8t4s9', 54, 2, false, 88, 87, '', 'C0HOME', '83.0', '2026-11-24 23:57:00.358937', false, 0, false, '2026-11-24 23:57:00.358937', '2026-11-25 00:18:30.584140', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'ujrcsn4d49mx', false, 1, 1, '', 'https://slack.test/reply', '84.0', '2026-11-24 23:57:00.358937', false, 0, false, '2026-11-24 23:57:00.358937', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', 'vnn9u', false, 13, 13, '', 'C0TRAIN', '85.0', '2026-11-24 23:57:00.358937', false, 0, false, '2026-11-24 23:57:00.358937', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'vnn9u', 56, false, 2, 2, '', 'C0TRAIN', '86.0', '2026-11-24 23:57:00.358937', false, 0, false, '2026-11-24 23:57:00.358937', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'vnn9u', 57, false, 3, 3, '', 'C0TRAIN', '87.0', '2026-11-24 23:57:00.358937', false, 0, false, '2026-11-24 23:57:00.358937', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'vnn9u', 58, true, 7, 7, '', 'C0TRAIN', '88.0', '2026-11-24 23:59:43.539637', false, 0, false, '2026-11-24 23:59:43.539637', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('direct', 'U0ANA', 'vnn9u', 58, false, 13, 13, '', 'U0ANA', '89.0', '2026-11-24 23:59:43.539637', false, 0, false, '2026-11-24 23:59:43.539637', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'ay2n499k2jqv', false, 1, 1, '', 'https://slack.test/reply', '90.0', '2026-11-24 23:59:58.539637', false, 0, false, '2026-11-24 23:59:58.539637', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', '7a3nr', false, 1, 1, '', 'C0TRAIN', '91.0', '2026-11-24 23:59:58.539637', false, 0, false, '2026-11-24 23:59:58.539637', false);

INSERT INTO messages (kind, "to", rental_id, event_id, envelope, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('approval', 'C0HOME', '7a3nr', 59, 1, false, 1, 1, '', 'C0HOME', '92.0', '2026-11-24 23:59:58.539637', false, 0, false, '2026-11-24 23:59:58.539637', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'z3vdxu492b53', false, 1, 1, '', 'https://slack.test/reply', '93.0', '2026-11-25 00:00:13.539637', false, 0, false, '2026-11-25 00:00:13.539637', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', 'utz2p', false, 2, 2, '', 'C0TRAIN', '94.0', '2026-11-25 00:00:13.539637', false, 0, false, '2026-11-25 00:00:13.539637', false);

INSERT INTO messages (kind, "to", rental_id, event_id, envelope, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('approval', 'C0HOME', 'utz2p', 60, 1, false, 2, 2, '', 'C0HOME', '95.0', '2026-11-25 00:00:13.539637', false, 0, false, '2026-11-25 00:00:13.539637', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'p3g3769tcgxs', false, 1, 1, '', 'https://slack.test/reply', '96.0', '2026-11-25 00:00:28.539637', false, 0, false, '2026-11-25 00:00:28.539637', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'utz2p', 61, false, 2, 2, '', 'C0TRAIN', '97.0', '2026-11-25 00:00:28.539637', false, 0, false, '2026-11-25 00:00:28.539637', false);

INSERT INTO messages (kind, "to", rental_id, event_id, envelope, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('approval', 'C0HOME', 'utz2p', 61, 2, false, 2, 2, '', 'C0HOME', '98.0', '2026-11-25 00:00:28.539637', false, 0, false, '2026-11-25 00:00:28.539637', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', '2qs29f3crg8e', false, 1, 1, '', 'https://slack.test/reply', '99.0', '2026-11-25 00:00:43.539637', false, 0, false, '2026-11-25 00:00:43.539637', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', '4mzfk', false, 8, 8, '', 'C0TRAIN', '100.0', '2026-11-25 00:00:43.539637', false, 0, false, '2026-11-25 00:00:43.539637', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '4mzfk', 63, false, 2, 2, '', 'C0TRAIN', '101.0', '2026-11-25 00:00:43.539637', false, 0, false, '2026-11-25 00:00:43.539637', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '4mzfk', 64, false, 3, 3, '', 'C0TRAIN', '102.0', '2026-11-25 00:00:43.539637', false, 0, false, '2026-11-25 00:00:43.539637', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '4mzfk', 65, false, 5, 5, '', 'C0TRAIN', '103.0', '2026-11-25 00:02:56.804662', false, 0, false, '2026-11-25 00:02:56.804662', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '4mzfk', 66, false, 6, 6, '', 'C0TRAIN', '104.0', '2026-11-25 00:02:56.804662', false, 0, false, '2026-11-25 00:02:56.804662', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '4mzfk', 67, false, 8, 8, '', 'C0TRAIN', '105.0', '2026-11-25 00:04:59.115677', false, 0, false, '2026-11-25 00:04:59.115677', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('direct', 'U0ANA', '4mzfk', 67, false, 8, 8, '', 'U0ANA', '106.0', '2026-11-25 00:04:59.115677', false, 0, false, '2026-11-25 00:04:59.115677', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', '3k5wcvhp74b3', false, 1, 1, '', 'https://slack.test/reply', '107.0', '2026-11-25 00:05:14.115677', false, 0, false, '2026-11-25 00:05:14.115677', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', 'hz3tp', false, 9, 9, '', 'C0TRAIN', '108.0', '2026-11-25 00:05:14.115677', false, 0, false, '2026-11-25 00:05:14.115677', false);

INSERT INTO messages (kind, "to", rental_id, event_id, envelope, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('approval', 'C0HOME', 'hz3tp', 68, 1, false, 9, 9, '', 'C0HOME', '109.0', '2026-11-25 00:05:14.115677', false, 0, false, '2026-11-25 00:05:14.115677', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'hz3tp', 69, false, 2, 2, '', 'C0TRAIN', '110.0', '2026-11-25 00:05:14.115677', false, 0, false, '2026-11-25 00:05:14.115677', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('direct', 'U0ANA', 'hz3tp', 69, false, 9, 9, '', 'U0ANA', '111.0', '2026-11-25 00:05:14.115677', false, 0, false, '2026-11-25 00:05:14.115677', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'hz3tp', 70, false, 3, 3, '', 'C0TRAIN', '112.0', '2026-11-25 00:05:14.115677', false, 0, false, '2026-11-25 00:05:14.115677', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'hz3tp', 71, false, 4, 4, '', 'C0TRAIN', '113.0', '2026-11-25 00:05:14.115677', false, 0, false, '2026-11-25 00:05:14.115677', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'hz3tp', 72, false, 6, 6, '', 'C0TRAIN', '114.0', '2026-11-25 00:07:14.739921', false, 0, false, '2026-11-25 00:07:14.739921', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'hz3tp', 73, false, 7, 7, '', 'C0TRAIN', '115.0', '2026-11-25 00:07:14.739921', false, 0, false, '2026-11-25 00:07:14.739921', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'hz3tp', 74, false, 9, 9, '', 'C0TRAIN', '116.0', '2026-11-25 00:09:16.755272', false, 0, false, '2026-11-25 00:09:16.755272', false);

INSERT INTO messages (kind, "to", rental_id, event_id, envelope, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('approval', 'C0HOME', 'hz3tp', 74, 2, false, 9, 9, '', 'C0HOME', '117.0', '2026-11-25 00:09:16.755272', false, 0, false, '2026-11-25 00:09:16.755272', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('direct', 'U0ANA', 'hz3tp', 74, false, 9, 9, '', 'U0ANA', '118.0', '2026-11-25 00:09:16.755272', false, 0, false, '2026-11-25 00:09:16.755272', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'md9magahbman', false, 1, 1, '', 'https://slack.test/reply', '119.0', '2026-11-25 00:09:16.755272', false, 0, false, '2026-11-25 00:09:16.755272', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', '7hzqz', false, 32, 32, '', 'C0TRAIN', '120.0', '2026-11-25 00:09:16.755272', false, 0, false, '2026-11-25 00:09:16.755272', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '7hzqz', 76, false, 2, 2, '', 'C0TRAIN', '121.0', '2026-11-25 00:09:16.755272', false, 0, false, '2026-11-25 00:09:16.755272', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '7hzqz', 77, false, 3, 3, '', 'C0TRAIN', '122.0', '2026-11-25 00:09:16.755272', false, 0, false, '2026-11-25 00:09:16.755272', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '7hzqz', 78, true, 7, 7, '', 'C0TRAIN', '123.0', '2026-11-25 00:12:15.584140', false, 0, false, '2026-11-25 00:12:15.584140', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('direct', 'U0ANA', '7hzqz', 78, false, 32, 32, '', 'U0ANA', '124.0', '2026-11-25 00:12:15.584140', false, 0, false, '2026-11-25 00:12:15.584140', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '7hzqz', 79, false, 8, 8, '', 'C0TRAIN', '125.0', '2026-11-25 00:12:15.584140', false, 0, false, '2026-11-25 00:12:15.584140', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '7hzqz', 80, false, 29, 29, '', 'C0TRAIN', '126.0', '2026-11-25 00:17:15.584140', false, 0, false, '2026-11-25 00:17:15.584140', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('direct', 'U0ANA', '7hzqz', 80, false, 32, 32, '', 'U0ANA', '127.0', '2026-11-25 00:17:15.584140', false, 0, false, '2026-11-25 00:17:15.584140', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('direct', 'U0CLEO', '7hzqz', 80, false, 32, 32, '', 'U0CLEO', '128.0', '2026-11-25 00:17:15.584140', false, 0, false, '2026-11-25 00:17:15.584140', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', '7hzqz', 81, false, 30, 30, '', 'C0TRAIN', '129.0', '2026-11-25 00:17:30.584140', false, 0, false, '2026-11-25 00:17:15.584140', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'affe4brh2gev', false, 1, 1, '', 'https://slack.test/reply', '130.0', '2026-11-25 00:17:30.584140', false, 0, false, '2026-11-25 00:17:30.584140', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', 'g5vn5', false, 6, 6, '', 'C0TRAIN', '131.0', '2026-11-25 00:17:30.584140', false, 0, false, '2026-11-25 00:17:30.584140', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'g5vn5', 83, false, 2, 2, '', 'C0TRAIN', '132.0', '2026-11-25 00:17:30.584140', false, 0, false, '2026-11-25 00:17:30.584140', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'g5vn5', 84, false, 3, 3, '', 'C0TRAIN', '133.0', '2026-11-25 00:17:30.584140', false, 0, false, '2026-11-25 00:17:30.584140', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'g5vn5', 85, false, 4, 4, '', 'C0TRAIN', '134.0', '2026-11-25 00:17:30.584140', false, 0, false, '2026-11-25 00:17:30.584140', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'tgc9d', 86, false, 88, 88, '', 'C0TRAIN', '135.0', '2026-11-25 00:17:30.584140', false, 0, false, '2026-11-25 00:17:30.584140', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', '6d49p67mynkt', false, 1, 1, '', 'https://slack.test/reply', '136.0', '2026-11-25 00:17:45.584140', false, 0, false, '2026-11-25 00:17:45.584140', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'zr93vmjsdmuv', false, 1, 1, '', 'https://slack.test/reply', '137.0', '2026-11-25 00:18:00.584140', false, 0, false, '2026-11-25 00:18:00.584140', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('card', 'C0TRAIN', 'w5fbr', false, 3, 3, '', 'C0TRAIN', '138.0', '2026-11-25 00:18:00.584140', false, 0, false, '2026-11-25 00:18:00.584140', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'w5fbr', 88, false, 2, 2, '', 'C0TRAIN', '139.0', '2026-11-25 00:18:00.584140', false, 0, false, '2026-11-25 00:18:00.584140', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, channel, ts, posted_at, sending, tries, closed, created_at, urgent)
VALUES ('thread', 'C0TRAIN', 'w5fbr', 89, false, 3, 3, '', 'C0TRAIN', '140.0', '2026-11-25 00:18:00.584140', false, 0, false, '2026-11-25 00:18:00.584140', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, sending, tries, closed, created_at, due_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'jexgcyvknxzf', false, 1, 0, '', false, 0, false, '2026-11-25 00:18:15.584140', '2026-11-25 00:18:15.584140', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, sending, tries, closed, created_at, due_at, urgent)
VALUES ('card', 'C0TRAIN', '7dvch', false, 4, 0, '', false, 0, false, '2026-11-25 00:18:15.584140', '2026-11-25 00:18:30.584140', true);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, sending, tries, closed, created_at, due_at, urgent)
VALUES ('thread', 'C0TRAIN', '7dvch', 91, false, 2, 0, '', false, 0, false, '2026-11-25 00:18:15.584140', '2026-11-25 00:18:15.584140', false);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, sending, tries, closed, created_at, due_at, urgent)
VALUES ('thread', 'C0TRAIN', '7dvch', 92, false, 3, 0, '', false, 0, false, '2026-11-25 00:18:15.584140', '2026-11-25 00:18:15.584140', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, sending, tries, closed, created_at, due_at, urgent)
VALUES ('quote', 'https://slack.test/reply', 'dj7eq8yyeyd6', false, 1, 0, '', false, 0, false, '2026-11-25 00:18:30.584140', '2026-11-25 00:18:30.584140', false);

INSERT INTO messages (kind, "to", rental_id, broadcast, wanted, shown, digest, sending, tries, closed, created_at, due_at, urgent)
VALUES ('card', 'C0TRAIN', '6pg5b', false, 2, 0, '', false, 0, false, '2026-11-25 00:18:30.584140', '2026-11-25 00:18:30.584140', true);

INSERT INTO messages (kind, "to", rental_id, event_id, broadcast, wanted, shown, digest, sending, tries, closed, created_at, due_at, urgent)
VALUES ('thread', 'C0TRAIN', '6pg5b', 95, false, 2, 0, '', false, 0, false, '2026-11-25 00:18:30.584140', '2026-11-25 00:18:30.584140', false);

INSERT INTO messages (kind, "to", quote_id, broadcast, wanted, shown, digest, sending, tries, closed, created_at, due_at, urgent)
VALUES ('looking', 'https://slack.test/reply', '8k8a5zx3bfxc', false, 1, 0, '', false, 0, false, '2026-11-25 00:18:45.584140', '2026-11-25 00:18:45.584140', false);
