//! Links from a response that creates a row to the operations on that row.
use serde_json::{Map, Value, json};

/// Links every creation to the operations on the row in its answer.
pub fn add(document: &mut Value) {
    let Some(paths) = document["paths"].as_object_mut() else { return };
    let mut links: Vec<(String, Map<String, Value>)> = Vec::new();
    for (path, item) in paths.iter() {
        let Some(collection) = path.strip_suffix("/{id}").filter(|path| paths.contains_key(*path))
        else {
            continue;
        };
        let operations = item.as_object().into_iter().flatten();
        let linked = operations.filter_map(|(method, operation)| {
            // This operation lists the documents of an intervention: its `{id}` is that of the intervention.
            let of_another = collection.ends_with("/documents") && method == "get";
            let id =
                if of_another { "$response.body#/intervention_id" } else { "$response.body#/id" };
            let name = operation["operationId"].as_str()?.to_owned();
            Some((name.clone(), json!({ "operationId": name, "parameters": { "id": id } })))
        });
        links.push((collection.to_owned(), linked.collect()));
    }
    for (collection, linked) in links {
        for status in ["200", "201"] {
            let at = format!(
                "/{}/post/responses/{status}",
                collection.replace('~', "~0").replace('/', "~1")
            );
            if let Some(response) = document["paths"].pointer_mut(&at) {
                response["links"] = Value::Object(linked.clone());
            }
        }
    }
}
