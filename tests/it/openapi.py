"""Reads {"document": OpenAPI 3.1, "answers": [{"path", "method", "status", "type", "body"}]} from standard input. Checks the document
against the schema of OpenAPI 3.1, every example in it against its own schema, and each answer against the schema that the
document has for it. Prints what is wrong, one a line, and how much it looked at."""

import json
import sys

import jsonschema
from openapi_spec_validator import OpenAPIV31SpecValidator

given = json.load(sys.stdin)
document = given["document"]
wrong = [f"document: {error.message} at {list(error.absolute_path)}" for error in OpenAPIV31SpecValidator(document).iter_errors()]
counts = {"examples": 0, "answers": 0}


def fits(schema, value, where):
    # References point into the document, so the schema is looked at from there.
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": document["components"], "allOf": [schema]}
    for error in jsonschema.Draft202012Validator(whole).iter_errors(value):
        wrong.append(f"{where}: {error.message} at {list(error.absolute_path)}")


def closed(schema):
    """The schema with no fields but those it names, so that an answer with more is found."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    # What several schemas say together is closed as a whole: none of them knows the fields of the others.
    kept = ("example", "allOf")
    made = {name: part if name in kept else closed(part) for name, part in schema.items()}
    if "allOf" in made:
        made["allOf"] = [{"$ref": one["$ref"].replace("/schemas/", "/open/")} if "$ref" in one else one for one in made["allOf"]]
        made["unevaluatedProperties"] = False
    elif "properties" in made and "additionalProperties" not in made:
        made["additionalProperties"] = False
    return made


def schemas(schema, where):
    """Every example within a schema."""
    if not isinstance(schema, dict):
        return
    for example in [schema["example"]] if "example" in schema else schema.get("examples", []):
        counts["examples"] += 1
        fits(closed(schema), example, f"{where}: example")
    for name, part in schema.get("properties", {}).items():
        schemas(part, f"{where}.{name}")
    schemas(schema.get("items"), f"{where}[]")
    for kind in ["allOf", "oneOf", "anyOf"]:
        for at, part in enumerate(schema.get(kind, [])):
            schemas(part, f"{where}/{kind}{at}")


def contents(content, where):
    for media in content.values():
        schemas(media.get("schema"), where)
        for example in [media["example"]] if "example" in media else [e["value"] for e in media.get("examples", {}).values()]:
            counts["examples"] += 1
            fits(media["schema"], example, f"{where}: example")


document["components"]["open"] = document["components"]["schemas"]
document["components"]["schemas"] = {name: closed(schema) for name, schema in document["components"]["schemas"].items()}
for name, schema in document["components"]["schemas"].items():
    schemas(schema, name)
for path, item in document["paths"].items():
    for method, operation in item.items():
        contents(operation.get("requestBody", {}).get("content", {}), f"{method} {path}: body")
        for status, response in operation["responses"].items():
            contents(response.get("content", {}), f"{method} {path}: {status}")
for answer in given["answers"]:
    where = f"{answer['method']} {answer['path']}: {answer['status']}"
    response = document["paths"][answer["path"]][answer["method"]]["responses"].get(str(answer["status"]))
    if response is None:
        wrong.append(f"{where} is not described")
        continue
    counts["answers"] += 1
    media = response.get("content", {}).get(answer["type"])
    if media is None:
        wrong.append(f"{where}: {answer['type']} is not described")
    elif answer["body"] is not None:
        fits(media["schema"], answer["body"], where)

for line in wrong:
    print(line)
print(f"looked at {counts['examples']} examples and {counts['answers']} answers; wrong: {len(wrong)}")
sys.exit(1 if wrong else 0)
