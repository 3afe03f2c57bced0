BEGIN TRANSACTION;
CREATE TABLE artifacts (
    signature TEXT PRIMARY KEY, content TEXT NOT NULL, codec TEXT NOT NULL, codec_version INTEGER NOT NULL,
    workflow TEXT NOT NULL, node TEXT NOT NULL, output TEXT NOT NULL, operator TEXT NOT NULL,
    stage TEXT NOT NULL, code TEXT NOT NULL, recreation_ns BIGINT NOT NULL, created_ns BIGINT NOT NULL,
    last_used INTEGER, loads INTEGER NOT NULL, load_ns BIGINT);
INSERT INTO "artifacts" VALUES('s1a','4ed3e8565cc4fcad921f59afa79f7061','pickle',1,'w','read','a','read','preprocess','',0,1,1,0,NULL);
CREATE TABLE channels (
    codec TEXT NOT NULL, direction TEXT NOT NULL, latency_ns BIGINT NOT NULL, bytes_per_s BIGINT NOT NULL,
    PRIMARY KEY (codec, direction));
CREATE TABLE contents (
    content TEXT PRIMARY KEY, suffix TEXT NOT NULL, size_bytes BIGINT NOT NULL);
INSERT INTO "contents" VALUES('4ed3e8565cc4fcad921f59afa79f7061','.pickle',104);
CREATE TABLE counters (name TEXT PRIMARY KEY, count BIGINT NOT NULL);
CREATE TABLE hidden_files (
    base_signature TEXT NOT NULL, path TEXT NOT NULL, PRIMARY KEY (base_signature, path));
CREATE TABLE iterations (
    id INTEGER PRIMARY KEY, workflow TEXT NOT NULL, version TEXT NOT NULL, parent INTEGER,
    started_ns BIGINT NOT NULL, waited_ns BIGINT NOT NULL, everything_ns BIGINT, status TEXT NOT NULL,
    parameters TEXT NOT NULL, edits TEXT NOT NULL, change_class TEXT NOT NULL, metrics TEXT NOT NULL,
    policy TEXT NOT NULL, python TEXT NOT NULL, mile TEXT NOT NULL, source TEXT NOT NULL,
    computed INTEGER NOT NULL, loaded INTEGER NOT NULL, pruned INTEGER NOT NULL);
INSERT INTO "iterations" VALUES(1,'w','abababababababababababababababab',NULL,5,6,1000000000000,'failed','{"C":1.5,"path":"x","none":null}','[{"kind":"parameter","node":"fit","stage":"learn","operator":"fit","parameter":"C","old":1.0},{"kind":"code","node":"fit","stage":"learn","operator":"fit","detail":"helper"}]','C','{"accuracy":0.5}','gdsf','3.11.7','0.1.0','digits.py',2,1,1);
CREATE TABLE meta (schema_version INTEGER NOT NULL, created_ns BIGINT NOT NULL);
INSERT INTO "meta" VALUES(1,1795233200922686657);
CREATE TABLE nodes (
    iteration INTEGER NOT NULL, position INTEGER NOT NULL, workflow TEXT NOT NULL, name TEXT NOT NULL,
    operator TEXT NOT NULL, stage TEXT NOT NULL, state TEXT NOT NULL, signature TEXT NOT NULL,
    parents TEXT NOT NULL, arguments TEXT NOT NULL, target TEXT NOT NULL, elapsed_ns BIGINT,
    size_bytes BIGINT, PRIMARY KEY (iteration, position));
INSERT INTO "nodes" VALUES(1,0,'w','read','fit','preprocess','compute','s1','[]','{}','',7,NULL);
INSERT INTO "nodes" VALUES(1,1,'w','fit','fit','learn','load','s2','[["rows","read"]]','{"C":"1"}','m',7,NULL);
INSERT INTO "nodes" VALUES(1,2,'w','old','fit','learn','prune','s3','[]','{}','',NULL,3);
INSERT INTO "nodes" VALUES(1,3,'w','twin','fit','preprocess','compute','s1','[]','{}','',7,NULL);
CREATE TABLE operator_flags (
    code TEXT PRIMARY KEY, mutates_inputs INTEGER NOT NULL, uses_global_random INTEGER NOT NULL);
CREATE TABLE outputs (
    iteration INTEGER NOT NULL, position INTEGER NOT NULL, node TEXT NOT NULL, name TEXT NOT NULL,
    signature TEXT NOT NULL, size_bytes BIGINT, load_ns BIGINT, write_ns BIGINT, kept INTEGER NOT NULL,
    reason TEXT NOT NULL, PRIMARY KEY (iteration, position));
INSERT INTO "outputs" VALUES(1,0,'read','a','s1a',4,NULL,2,1,'yes');
INSERT INTO "outputs" VALUES(1,1,'fit','result','s2r',NULL,3,NULL,0,'');
CREATE TABLE policy_state (name TEXT PRIMARY KEY, state TEXT NOT NULL);
CREATE TABLE reservations (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, path TEXT NOT NULL, content TEXT NOT NULL,
    size_bytes BIGINT NOT NULL);
CREATE TABLE signatures (
    signature TEXT PRIMARY KEY, base_signature TEXT NOT NULL, code TEXT NOT NULL, parts TEXT NOT NULL);
INSERT INTO "signatures" VALUES('s1','b1','c1','{"code":"x"}');
INSERT INTO "signatures" VALUES('s2','','','{}');
INSERT INTO "signatures" VALUES('s3','','','{}');
CREATE INDEX iterations_of_workflow ON iterations (workflow, id);
CREATE INDEX iterations_of_version ON iterations (version, workflow);
CREATE INDEX computed_signature ON nodes (signature, iteration) WHERE state = 'compute';
CREATE INDEX computed_name ON nodes (name, workflow, iteration) WHERE state = 'compute';
CREATE INDEX computed_operator ON nodes (operator, iteration) WHERE state = 'compute';
CREATE INDEX contents_size ON contents (size_bytes);
CREATE INDEX artifacts_of_content ON artifacts (content);
COMMIT;
