BEGIN TRANSACTION;
CREATE TABLE "datasets" (
	dataset_uuid VARCHAR(36) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(500) NOT NULL, 
	digest VARCHAR(36) NOT NULL, 
	dataset_source_type VARCHAR(36) NOT NULL, 
	dataset_source TEXT NOT NULL, 
	dataset_schema TEXT, 
	dataset_profile TEXT, 
	CONSTRAINT dataset_pk PRIMARY KEY (experiment_id, name, digest), 
	CONSTRAINT fk_datasets_experiment_id_experiments FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id) ON DELETE CASCADE
);
CREATE TABLE "experiments" (
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	artifact_location VARCHAR(256), 
	lifecycle_stage VARCHAR(32), 
	creation_time BIGINT, 
	last_update_time BIGINT, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT experiment_pk PRIMARY KEY (experiment_id), 
	CONSTRAINT experiments_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	CONSTRAINT uq_experiments_workspace_name UNIQUE (workspace, name)
);
INSERT INTO "experiments" VALUES(0,'Default','/tmp/trackers/sql/mlruns/0','active',1795939366216,1795939366216,'default');
INSERT INTO "experiments" VALUES(1,'digits ''q'' "<b>x</b>/y','/tmp/trackers/sql/mlruns/1','active',1795939366334,1795939366334,'default');
CREATE TABLE inputs (
	input_uuid VARCHAR(36) NOT NULL, 
	source_type VARCHAR(36) NOT NULL, 
	source_id VARCHAR(36) NOT NULL, 
	destination_type VARCHAR(36) NOT NULL, 
	destination_id VARCHAR(36) NOT NULL, step BIGINT DEFAULT '0' NOT NULL, 
	CONSTRAINT inputs_pk PRIMARY KEY (source_type, source_id, destination_type, destination_id)
);
CREATE TABLE "metrics" (
	"key" VARCHAR(250) NOT NULL, 
	value FLOAT NOT NULL, 
	timestamp BIGINT NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	step BIGINT DEFAULT '0' NOT NULL, 
	is_nan BOOLEAN DEFAULT '0' NOT NULL, 
	CONSTRAINT metric_pk PRIMARY KEY ("key", timestamp, step, run_uuid, value, is_nan), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid), 
	CHECK (is_nan IN (0, 1))
);
INSERT INTO "metrics" VALUES('loss',1.0,1795939368356,'cf6ba438021f4126b35601d0723ad25b',0,0);
INSERT INTO "metrics" VALUES('val_loss',1.1,1795939368356,'cf6ba438021f4126b35601d0723ad25b',0,0);
INSERT INTO "metrics" VALUES('val/acc',0.0,1795939368356,'cf6ba438021f4126b35601d0723ad25b',0,0);
INSERT INTO "metrics" VALUES('loss',0.5,1795939368596,'cf6ba438021f4126b35601d0723ad25b',1,0);
INSERT INTO "metrics" VALUES('val_loss',0.6,1795939368596,'cf6ba438021f4126b35601d0723ad25b',1,0);
INSERT INTO "metrics" VALUES('val/acc',0.1,1795939368596,'cf6ba438021f4126b35601d0723ad25b',1,0);
INSERT INTO "metrics" VALUES('loss',3.33333333333333314829e-01,1795939368788,'cf6ba438021f4126b35601d0723ad25b',2,0);
INSERT INTO "metrics" VALUES('val_loss',0.5,1795939368788,'cf6ba438021f4126b35601d0723ad25b',2,0);
INSERT INTO "metrics" VALUES('val/acc',0.2,1795939368788,'cf6ba438021f4126b35601d0723ad25b',2,0);
INSERT INTO "metrics" VALUES('loss',0.25,1795939368935,'cf6ba438021f4126b35601d0723ad25b',3,0);
INSERT INTO "metrics" VALUES('val_loss',0.0,1795939368935,'cf6ba438021f4126b35601d0723ad25b',3,1);
INSERT INTO "metrics" VALUES('val/acc',3.00000000000000044408e-01,1795939368935,'cf6ba438021f4126b35601d0723ad25b',3,0);
INSERT INTO "metrics" VALUES('loss',0.2,1795939369109,'cf6ba438021f4126b35601d0723ad25b',4,0);
INSERT INTO "metrics" VALUES('val_loss',0.7,1795939369109,'cf6ba438021f4126b35601d0723ad25b',4,0);
INSERT INTO "metrics" VALUES('val/acc',0.4,1795939369109,'cf6ba438021f4126b35601d0723ad25b',4,0);
INSERT INTO "metrics" VALUES('grew',1.79769313486231562234e+308,1795939369344,'cf6ba438021f4126b35601d0723ad25b',2,0);
INSERT INTO "metrics" VALUES('loss',0.125,1795939369536,'cf6ba438021f4126b35601d0723ad25b',4,0);
INSERT INTO "metrics" VALUES('test_accuracy',0.75,1795939369711,'cf6ba438021f4126b35601d0723ad25b',0,0);
INSERT INTO "metrics" VALUES('system/cpu',50.0,1795939369859,'cf6ba438021f4126b35601d0723ad25b',900,0);
INSERT INTO "metrics" VALUES('loss',1.0,1795939370619,'1183e8606fc4433d90f48df3911f4e7c',3,0);
INSERT INTO "metrics" VALUES('loss',1.0,1795939371271,'d5d05085dbe5449a951515d9d9f308b7',0,0);
INSERT INTO "metrics" VALUES('val_loss',1.1,1795939371271,'d5d05085dbe5449a951515d9d9f308b7',0,0);
INSERT INTO "metrics" VALUES('val/acc',0.0,1795939371271,'d5d05085dbe5449a951515d9d9f308b7',0,0);
INSERT INTO "metrics" VALUES('loss',0.5,1795939371435,'d5d05085dbe5449a951515d9d9f308b7',1,0);
INSERT INTO "metrics" VALUES('val_loss',0.6,1795939371435,'d5d05085dbe5449a951515d9d9f308b7',1,0);
INSERT INTO "metrics" VALUES('val/acc',0.01,1795939371435,'d5d05085dbe5449a951515d9d9f308b7',1,0);
INSERT INTO "metrics" VALUES('loss',3.33333333333333314829e-01,1795939371610,'d5d05085dbe5449a951515d9d9f308b7',2,0);
INSERT INTO "metrics" VALUES('val_loss',0.5,1795939371610,'d5d05085dbe5449a951515d9d9f308b7',2,0);
INSERT INTO "metrics" VALUES('val/acc',0.02,1795939371610,'d5d05085dbe5449a951515d9d9f308b7',2,0);
INSERT INTO "metrics" VALUES('loss',0.25,1795939371838,'d5d05085dbe5449a951515d9d9f308b7',3,0);
INSERT INTO "metrics" VALUES('val_loss',0.0,1795939371838,'d5d05085dbe5449a951515d9d9f308b7',3,1);
INSERT INTO "metrics" VALUES('val/acc',0.03,1795939371838,'d5d05085dbe5449a951515d9d9f308b7',3,0);
INSERT INTO "metrics" VALUES('loss',0.2,1795939371963,'d5d05085dbe5449a951515d9d9f308b7',4,0);
INSERT INTO "metrics" VALUES('val_loss',0.7,1795939371963,'d5d05085dbe5449a951515d9d9f308b7',4,0);
INSERT INTO "metrics" VALUES('val/acc',0.04,1795939371963,'d5d05085dbe5449a951515d9d9f308b7',4,0);
INSERT INTO "metrics" VALUES('grew',1.79769313486231562234e+308,1795939372061,'d5d05085dbe5449a951515d9d9f308b7',2,0);
INSERT INTO "metrics" VALUES('loss',0.125,1795939372187,'d5d05085dbe5449a951515d9d9f308b7',4,0);
INSERT INTO "metrics" VALUES('test_accuracy',0.75,1795939372328,'d5d05085dbe5449a951515d9d9f308b7',0,0);
INSERT INTO "metrics" VALUES('system/cpu',50.0,1795939372427,'d5d05085dbe5449a951515d9d9f308b7',900,0);
INSERT INTO "metrics" VALUES('loss',1.0,1795939373075,'d2a174782f7640fdaec6564c64190a05',3,0);
INSERT INTO "metrics" VALUES('loss',2.0,1795939374623,'389fb58203db4c62aa67881a86276a3e',0,0);
CREATE TABLE "params" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000) NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT param_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
INSERT INTO "params" VALUES('lr','0.1','cf6ba438021f4126b35601d0723ad25b');
INSERT INTO "params" VALUES('units','[64, 32]','cf6ba438021f4126b35601d0723ad25b');
INSERT INTO "params" VALUES('a/b','it''s "q"','cf6ba438021f4126b35601d0723ad25b');
INSERT INTO "params" VALUES('llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll','xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx','cf6ba438021f4126b35601d0723ad25b');
INSERT INTO "params" VALUES('lr','0.01','d5d05085dbe5449a951515d9d9f308b7');
INSERT INTO "params" VALUES('units','[64, 32]','d5d05085dbe5449a951515d9d9f308b7');
INSERT INTO "params" VALUES('a/b','it''s "q"','d5d05085dbe5449a951515d9d9f308b7');
INSERT INTO "params" VALUES('llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll','xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx','d5d05085dbe5449a951515d9d9f308b7');
INSERT INTO "params" VALUES('lr','9','6742ac9ba4be4067a1c17920bdb5c82f');
CREATE TABLE "runs" (
	run_uuid VARCHAR(32) NOT NULL, 
	name VARCHAR(250), 
	source_type VARCHAR(20), 
	source_name VARCHAR(500), 
	entry_point_name VARCHAR(50), 
	user_id VARCHAR(256), 
	status VARCHAR(9), 
	start_time BIGINT, 
	end_time BIGINT, 
	source_version VARCHAR(50), 
	lifecycle_stage VARCHAR(20), 
	artifact_uri VARCHAR(200), 
	experiment_id INTEGER, deleted_time BIGINT, 
	CONSTRAINT run_pk PRIMARY KEY (run_uuid), 
	CONSTRAINT source_type CHECK (source_type IN ('NOTEBOOK', 'JOB', 'LOCAL', 'UNKNOWN', 'PROJECT')), 
	CONSTRAINT runs_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CHECK (status IN ('SCHEDULED', 'FAILED', 'FINISHED', 'RUNNING', 'KILLED'))
);
INSERT INTO "runs" VALUES('cf6ba438021f4126b35601d0723ad25b','lr 0.1','UNKNOWN','','','root','FINISHED',1795939367575,1795939370816,'','active','/tmp/trackers/sql/mlruns/1/cf6ba438021f4126b35601d0723ad25b/artifacts',1,NULL);
INSERT INTO "runs" VALUES('1183e8606fc4433d90f48df3911f4e7c','child','UNKNOWN','','','root','FINISHED',1795939370333,1795939370740,'','active','/tmp/trackers/sql/mlruns/1/1183e8606fc4433d90f48df3911f4e7c/artifacts',1,NULL);
INSERT INTO "runs" VALUES('d5d05085dbe5449a951515d9d9f308b7','lr 0.01','UNKNOWN','','','root','FINISHED',1795939370844,1795939373215,'','active','/tmp/trackers/sql/mlruns/1/d5d05085dbe5449a951515d9d9f308b7/artifacts',1,NULL);
INSERT INTO "runs" VALUES('d2a174782f7640fdaec6564c64190a05','child','UNKNOWN','','','root','FINISHED',1795939372713,1795939373159,'','active','/tmp/trackers/sql/mlruns/1/d2a174782f7640fdaec6564c64190a05/artifacts',1,NULL);
INSERT INTO "runs" VALUES('6742ac9ba4be4067a1c17920bdb5c82f','fails','UNKNOWN','','','root','FAILED',1795939373288,1795939373560,'','active','/tmp/trackers/sql/mlruns/1/6742ac9ba4be4067a1c17920bdb5c82f/artifacts',1,NULL);
INSERT INTO "runs" VALUES('6e3691417fd645509008dafaca761018','killed','UNKNOWN','','','root','KILLED',1795939373763,1795939373927,'','active','/tmp/trackers/sql/mlruns/1/6e3691417fd645509008dafaca761018/artifacts',1,NULL);
INSERT INTO "runs" VALUES('7ffa32e0f1854b8eac4742494d928d59','gone','UNKNOWN','','','root','FINISHED',1795939374009,1795939374235,'','deleted','/tmp/trackers/sql/mlruns/1/7ffa32e0f1854b8eac4742494d928d59/artifacts',1,1795939374336);
INSERT INTO "runs" VALUES('389fb58203db4c62aa67881a86276a3e','goes on','UNKNOWN','','','root','RUNNING',1795939374423,NULL,'','active','/tmp/trackers/sql/mlruns/1/389fb58203db4c62aa67881a86276a3e/artifacts',1,NULL);
CREATE TABLE "tags" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000), 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT tag_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
INSERT INTO "tags" VALUES('mlflow.user','root','cf6ba438021f4126b35601d0723ad25b');
INSERT INTO "tags" VALUES('mlflow.source.name','/tmp/trackers/scripts/write_mlflow.py','cf6ba438021f4126b35601d0723ad25b');
INSERT INTO "tags" VALUES('mlflow.source.type','LOCAL','cf6ba438021f4126b35601d0723ad25b');
INSERT INTO "tags" VALUES('mlflow.note.content','first <i>try</i>','cf6ba438021f4126b35601d0723ad25b');
INSERT INTO "tags" VALUES('mlflow.runName','lr 0.1','cf6ba438021f4126b35601d0723ad25b');
INSERT INTO "tags" VALUES('team','blue/green','cf6ba438021f4126b35601d0723ad25b');
INSERT INTO "tags" VALUES('html','<b>&amp;</b>','cf6ba438021f4126b35601d0723ad25b');
INSERT INTO "tags" VALUES('mlflow.user','root','1183e8606fc4433d90f48df3911f4e7c');
INSERT INTO "tags" VALUES('mlflow.source.name','/tmp/trackers/scripts/write_mlflow.py','1183e8606fc4433d90f48df3911f4e7c');
INSERT INTO "tags" VALUES('mlflow.source.type','LOCAL','1183e8606fc4433d90f48df3911f4e7c');
INSERT INTO "tags" VALUES('mlflow.parentRunId','cf6ba438021f4126b35601d0723ad25b','1183e8606fc4433d90f48df3911f4e7c');
INSERT INTO "tags" VALUES('mlflow.runName','child','1183e8606fc4433d90f48df3911f4e7c');
INSERT INTO "tags" VALUES('mlflow.user','root','d5d05085dbe5449a951515d9d9f308b7');
INSERT INTO "tags" VALUES('mlflow.source.name','/tmp/trackers/scripts/write_mlflow.py','d5d05085dbe5449a951515d9d9f308b7');
INSERT INTO "tags" VALUES('mlflow.source.type','LOCAL','d5d05085dbe5449a951515d9d9f308b7');
INSERT INTO "tags" VALUES('mlflow.note.content','first <i>try</i>','d5d05085dbe5449a951515d9d9f308b7');
INSERT INTO "tags" VALUES('mlflow.runName','lr 0.01','d5d05085dbe5449a951515d9d9f308b7');
INSERT INTO "tags" VALUES('team','blue/green','d5d05085dbe5449a951515d9d9f308b7');
INSERT INTO "tags" VALUES('html','<b>&amp;</b>','d5d05085dbe5449a951515d9d9f308b7');
INSERT INTO "tags" VALUES('mlflow.user','root','d2a174782f7640fdaec6564c64190a05');
INSERT INTO "tags" VALUES('mlflow.source.name','/tmp/trackers/scripts/write_mlflow.py','d2a174782f7640fdaec6564c64190a05');
INSERT INTO "tags" VALUES('mlflow.source.type','LOCAL','d2a174782f7640fdaec6564c64190a05');
INSERT INTO "tags" VALUES('mlflow.parentRunId','d5d05085dbe5449a951515d9d9f308b7','d2a174782f7640fdaec6564c64190a05');
INSERT INTO "tags" VALUES('mlflow.runName','child','d2a174782f7640fdaec6564c64190a05');
INSERT INTO "tags" VALUES('mlflow.user','root','6742ac9ba4be4067a1c17920bdb5c82f');
INSERT INTO "tags" VALUES('mlflow.source.name','/tmp/trackers/scripts/write_mlflow.py','6742ac9ba4be4067a1c17920bdb5c82f');
INSERT INTO "tags" VALUES('mlflow.source.type','LOCAL','6742ac9ba4be4067a1c17920bdb5c82f');
INSERT INTO "tags" VALUES('mlflow.runName','fails','6742ac9ba4be4067a1c17920bdb5c82f');
INSERT INTO "tags" VALUES('mlflow.user','root','6e3691417fd645509008dafaca761018');
INSERT INTO "tags" VALUES('mlflow.source.name','/tmp/trackers/scripts/write_mlflow.py','6e3691417fd645509008dafaca761018');
INSERT INTO "tags" VALUES('mlflow.source.type','LOCAL','6e3691417fd645509008dafaca761018');
INSERT INTO "tags" VALUES('mlflow.runName','killed','6e3691417fd645509008dafaca761018');
INSERT INTO "tags" VALUES('mlflow.user','root','7ffa32e0f1854b8eac4742494d928d59');
INSERT INTO "tags" VALUES('mlflow.source.name','/tmp/trackers/scripts/write_mlflow.py','7ffa32e0f1854b8eac4742494d928d59');
INSERT INTO "tags" VALUES('mlflow.source.type','LOCAL','7ffa32e0f1854b8eac4742494d928d59');
INSERT INTO "tags" VALUES('mlflow.runName','gone','7ffa32e0f1854b8eac4742494d928d59');
INSERT INTO "tags" VALUES('mlflow.user','root','389fb58203db4c62aa67881a86276a3e');
INSERT INTO "tags" VALUES('mlflow.source.name','/tmp/trackers/scripts/write_mlflow.py','389fb58203db4c62aa67881a86276a3e');
INSERT INTO "tags" VALUES('mlflow.source.type','LOCAL','389fb58203db4c62aa67881a86276a3e');
INSERT INTO "tags" VALUES('mlflow.runName','goes on','389fb58203db4c62aa67881a86276a3e');
COMMIT;
