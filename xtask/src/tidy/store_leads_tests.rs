//! Snippets that must pass and snippets that must not, for the rule that the store leads.

use super::{EXCEPTIONS, Exceptions, check};

const NONE: Exceptions = Exceptions { tables: &[("stores", "")], keys: &[], statements: &[] };
const SCHEMA: &str = "
    CREATE TABLE stores (id BIGINT NOT NULL, CONSTRAINT stores_id PRIMARY KEY (id));
    CREATE TABLE a (store BIGINT NOT NULL, id BIGINT NOT NULL, CONSTRAINT a_id PRIMARY KEY (store, id)) {without_rowid};
    CREATE TABLE b (store BIGINT NOT NULL, id BIGINT NOT NULL, CONSTRAINT b_id PRIMARY KEY (store, id));";

/// Checks a schema made by more migrations after [`SCHEMA`], one a text; gives what is said, if anything.
fn migrated(more: &[&str]) -> Vec<String> {
    let texts = [SCHEMA].into_iter().chain(more.iter().copied()).enumerate();
    let migrations: Vec<_> = texts.map(|(number, text)| (format!("{number}.sql"), text.to_owned())).collect();
    check(&migrations, &[], &NONE).iter().map(ToString::to_string).collect()
}

/// Checks Rust text that uses [`SCHEMA`].
fn used(rust: &str) -> Vec<String> {
    let migrations = [("0.sql".to_owned(), SCHEMA.to_owned())];
    check(&migrations, &[("x.rs".to_owned(), rust.to_owned())], &NONE).iter().map(ToString::to_string).collect()
}

#[test]
fn statements_that_name_the_store_pass() {
    for sql in [
        "SELECT id FROM a WHERE store = ?1",
        "SELECT id FROM a WHERE id = $2 AND store = $1 ORDER BY id LIMIT 1",
        "SELECT id FROM a WHERE store = ?1 {lock}",
        "SELECT x.id FROM a x JOIN b AS y ON y.store = x.store AND y.id = x.id WHERE x.store = ?1",
        "SELECT x.id FROM a x, b y WHERE ?1 = y.store AND x.store = y.store AND (x.id = ?2 OR x.id = ?3)",
        "SELECT a.id FROM a LEFT JOIN b ON b.store = a.store WHERE a.store = ?1 GROUP BY a.id",
        "SELECT id FROM a WHERE store = ?1 UNION ALL SELECT id FROM b WHERE store = ?1",
        "SELECT id FROM a WHERE store = ?1 AND EXISTS (SELECT 1 FROM b WHERE b.store = a.store AND b.id = a.id)",
        "SELECT s.id FROM stores s WHERE s.id = ?1",
        "SELECT name FROM pg_tables WHERE x = 'FROM a'",
        "WITH due AS (SELECT store, id FROM a WHERE store = ?1) UPDATE b SET id = 1 FROM due WHERE b.store = due.store",
        "UPDATE a SET id = ?2 WHERE store = ?1 AND id IN (SELECT id FROM a WHERE store = ?1 {skip_locked}) RETURNING id",
        "UPDATE a SET id = v.id FROM UNNEST(?1, ?2) AS v (store, id) WHERE a.store = v.store",
        "DELETE FROM a WHERE store = ?1",
        "INSERT INTO a (store, id) VALUES (?1, ?2) ON CONFLICT (store, id) DO UPDATE SET id = excluded.id",
        "INSERT INTO a (store, id) SELECT store, id FROM b WHERE store = ?1",
        "id IN (SELECT id FROM a WHERE store = {} AND id = {})",
        "please SELECT one",
        "FOR UPDATE OF a",
    ] {
        assert_eq!(used(&format!("f(\"{sql}\")")), [""; 0], "{sql}");
    }
}

#[test]
fn statements_that_do_not_are_found() {
    for (sql, expected) in [
        ("SELECT id FROM a", "`a` is used without its store"),
        ("SELECT id FROM a WHERE id = ?1", "`a` is used without its store"),
        ("SELECT id FROM a WHERE store > ?1", "`a` is used without its store"),
        ("SELECT id FROM a WHERE store = ?1 + 1", "`a` is used without its store"),
        ("SELECT id FROM a WHERE store = 7", "`a` is used without its store"),
        ("SELECT id FROM a WHERE store = ?1 OR id = ?2", "`a` is used without its store"),
        ("SELECT id FROM a WHERE NOT store = ?1", "`a` is used without its store"),
        ("SELECT id FROM a WHERE (store, id) > (?1, ?2)", "`a` is used without its store"),
        ("SELECT x.id FROM a x JOIN b y ON y.id = x.id WHERE x.store = ?1", "`b` is used without its store"),
        ("SELECT x.id FROM a x JOIN b y ON y.store = x.store", "`a` is used without its store"),
        ("SELECT x.id FROM a x JOIN b y ON y.store = x.id WHERE x.store = ?1", "`b` is used without its store"),
        ("SELECT id FROM a, b WHERE store = ?1", "`a` is used without its store"),
        ("SELECT id FROM a WHERE store = ?1 UNION SELECT id FROM b", "`b` is used without its store"),
        ("SELECT id FROM a WHERE store = ?1 AND id IN (SELECT id FROM b)", "`b` is used without its store"),
        ("id IN (SELECT id FROM a WHERE id = {})", "`a` is used without its store"),
        ("SELECT 1 FROM a WHERE a.store = t.store", "`a` is used without its store"),
        ("SELECT id FROM {table} WHERE store = ?1", "the table is not named"),
        ("SELECT x FROM stores WHERE x IN (SELECT id FROM a", "must not begin in one text"),
        ("UPDATE a SET store = ?1", "`a` is used without its store"),
        ("UPDATE a SET id = 1 FROM b WHERE b.store = ?1", "`a` is used without its store"),
        ("DELETE FROM a WHERE id = ?1", "`a` is used without its store"),
        ("INSERT INTO a (id, store) VALUES (?1, ?2)", "names the store as its first column"),
        ("INSERT INTO a VALUES (?1, ?2)", "names the store as its first column"),
        ("INSERT INTO {table} (store) VALUES (?1)", "the table is not named"),
        ("INSERT INTO a (store, id) VALUES (?1, ?2) ON CONFLICT (id) DO NOTHING", "a key that the store leads"),
        ("INSERT INTO a (store, id) SELECT store, id FROM b", "`b` is used without its store"),
        ("WITH due AS (SELECT id FROM a) SELECT id FROM due", "`a` is used without its store"),
        ("SELECT id FROM a WHERE store = ?1 AND id < now()", "no `now`"),
        (" OR id = {}", "a way around the store"),
    ] {
        let found = used(&format!("f(\"{sql}\")"));
        assert!(found.iter().any(|finding| finding.contains(expected)), "{sql}: {found:?}");
    }
}

#[test]
fn a_finding_names_the_line_of_the_table() {
    let found = used("//! x\nconst A: &str = \"\n    SELECT id\n    FROM a WHERE id = ?1\";\n");
    assert!(found[0].starts_with("x.rs:4: "), "{found:?}");
}

#[test]
fn keys_begin_with_the_store() {
    for sql in [
        "CREATE INDEX a_x ON a (store, id) WHERE id <> 0;",
        "CREATE UNIQUE INDEX IF NOT EXISTS a_x ON a (store, lower(id));",
        "CREATE INDEX stores_x ON stores (id);",
        "CREATE TABLE c (store BIGINT, id BIGINT, PRIMARY KEY (store, id), UNIQUE (store));",
        "ALTER TABLE a ADD COLUMN more TEXT NOT NULL DEFAULT ''; ALTER TABLE a DROP COLUMN more;",
        "ALTER TABLE a RENAME COLUMN id TO number; ALTER TABLE a RENAME TO c;",
        "UPDATE a SET id = b.id FROM b WHERE b.store = a.store; DELETE FROM a; INSERT INTO a (store) SELECT store FROM b;",
        "CREATE INDEX a_x ON a (id); DROP INDEX a_x; CREATE TABLE c (id BIGINT PRIMARY KEY); DROP TABLE IF EXISTS c;",
        "ALTER TABLE a ADD CONSTRAINT a_x UNIQUE (id); ALTER TABLE a DROP CONSTRAINT a_x;",
    ] {
        assert_eq!(migrated(&[sql]), [""; 0], "{sql}");
    }
    assert_eq!(migrated(&["CREATE INDEX a_x ON a (id);", "DROP INDEX IF EXISTS a_x;"]), [""; 0]);
    for (sql, expected) in [
        ("CREATE INDEX a_x ON a (id, store);", "`a_x` of `a` does not begin with the store"),
        ("CREATE INDEX a_x ON a (-store);", "`a_x` of `a` does not begin with the store"),
        ("CREATE TABLE c (store BIGINT, id BIGINT PRIMARY KEY);", "`c, primary key: id` of `c` does not begin"),
        (
            "CREATE TABLE c (store BIGINT PRIMARY KEY, id BIGINT CONSTRAINT c_id UNIQUE);",
            "`c_id` of `c` does not begin",
        ),
        ("CREATE TABLE c (store BIGINT, PRIMARY KEY (store), UNIQUE (id));", "`c, unique` of `c` does not begin"),
        ("CREATE TABLE c (store BIGINT);", "`c` has no primary key"),
        ("ALTER TABLE a ADD COLUMN x BIGINT UNIQUE;", "`a, unique: x` of `a` does not begin"),
        ("ALTER TABLE a ADD CONSTRAINT a_x UNIQUE (id);", "`a_x` of `a` does not begin"),
        ("ALTER TABLE a DROP CONSTRAINT a_id;", "`a` has no primary key"),
        ("ALTER TABLE a RENAME COLUMN store TO shop;", "`a_id` of `a` does not begin"),
        ("ALTER TABLE a DISABLE TRIGGER x;", "is not understood"),
        ("CREATE VIEW v AS SELECT 1;", "is not understood"),
        ("UPDATE a SET id = b.id FROM b WHERE b.id = a.id;", "`b` is used without its store"),
        ("INSERT INTO a (id) SELECT id FROM b;", "names the store as its first column"),
        ("ALTER TABLE a ADD COLUMN x BIGSERIAL;", "no `bigserial`"),
        ("ALTER TABLE a ADD COLUMN x BIGINT DEFAULT now();", "no `now`"),
        ("ALTER TABLE a ADD COLUMN x BIGINT GENERATED ALWAYS AS IDENTITY;", "no `identity`"),
    ] {
        let found = migrated(&[sql]);
        assert!(
            found.len() == 1 && found[0].starts_with("1.sql:1:") | found[0].starts_with("0.sql:"),
            "{sql}: {found:?}"
        );
        assert!(found[0].contains(expected), "{sql}: {found:?}");
    }
}

#[test]
fn an_exception_that_nothing_needs_is_found() {
    let found = check(&[], &[], &EXCEPTIONS);
    assert_eq!(found.len(), EXCEPTIONS.statements.len() + EXCEPTIONS.keys.len());
    let excepted = Exceptions { tables: &[("stores", "")], keys: &[], statements: &[("x.rs", "SELECT id FROM a", "")] };
    let migrations = [("0.sql".to_owned(), SCHEMA.to_owned())];
    let rust = [("x.rs".to_owned(), "f(\"SELECT id FROM a\", \"SELECT 1 FROM b\")".to_owned())];
    let found: Vec<String> = check(&migrations, &rust, &excepted).iter().map(ToString::to_string).collect();
    assert!(found.len() == 1 && found[0].contains("`b` is used"), "{found:?}");
}
