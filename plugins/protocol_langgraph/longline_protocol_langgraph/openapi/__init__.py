"""The description of this API for machines and people: an OpenAPI document, made from what is served and checked."""
