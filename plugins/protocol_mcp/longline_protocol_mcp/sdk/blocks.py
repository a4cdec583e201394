"""Core's contents ↔ the protocol's."""

import base64
import json
from collections.abc import Sequence

from mcp import types
from pydantic import AnyUrl

from longline.models.json import JsonObject
from longline.tools.caller import Said
from longline.tools.content import Audio, Block, File, Image, Link, Text, ToolAnswer, ToolResult
from longline.tools.prompts import Prompt
from longline.tools.resources import Resource
from longline.tools.tool import Tool, ToolHints


def tool_of(tool: Tool) -> types.Tool:
    """A tool as it is listed."""
    return types.Tool(
        name=tool.name,
        title=tool.title or None,
        description=tool.description,
        inputSchema=tool.schema,
        outputSchema=tool.output_schema,
        annotations=_annotations(tool.hints),
    )


def result_of(answer: ToolAnswer) -> types.CallToolResult:
    """A tool's answer: what programs read, and the same for people and models."""
    if not isinstance(answer, ToolResult):
        structured = answer if isinstance(answer, dict) else None
        text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False, allow_nan=False)
        return types.CallToolResult(content=[_text(text)], structuredContent=structured)
    content = [block_of(block) for block in answer.content]
    if not content and answer.structured is not None:
        content = [_text(json.dumps(answer.structured, ensure_ascii=False, allow_nan=False))]
    return types.CallToolResult(content=content, structuredContent=answer.structured, isError=answer.is_error)


def failure(reason: str) -> types.CallToolResult:
    """A tool's answer that tells why there is none."""
    return types.CallToolResult(content=[_text(reason)], isError=True)


def block_of(block: Block) -> types.ContentBlock:
    """A content block."""
    match block:
        case Text(text):
            return _text(text)
        case Image(data, media_type):
            return types.ImageContent(type="image", data=_encoded(data), mimeType=media_type)
        case Audio(data, media_type):
            return types.AudioContent(type="audio", data=_encoded(data), mimeType=media_type)
        case File():
            return types.EmbeddedResource(type="resource", resource=contents_of(block))
        case Link(uri=uri, name=name):
            return types.ResourceLink(
                type="resource_link",
                uri=AnyUrl(uri),
                name=name,
                title=block.title or None,
                description=block.description or None,
                mimeType=block.media_type,
            )


def contents_of(file: File) -> types.TextResourceContents | types.BlobResourceContents:
    """A document with what is in it."""
    uri = AnyUrl(file.uri)
    if file.text is not None:
        return types.TextResourceContents(uri=uri, text=file.text, mimeType=file.media_type)
    return types.BlobResourceContents(uri=uri, blob=_encoded(file.data or b""), mimeType=file.media_type)


def resource_of(resource: Resource) -> types.Resource:
    """A resource at a URI of its own, as it is listed."""
    return types.Resource(
        uri=AnyUrl(resource.uri),
        name=resource.name,
        title=resource.title or None,
        description=resource.description or None,
        mimeType=resource.media_type,
    )


def template_of(resource: Resource) -> types.ResourceTemplate:
    """A template of resources, as it is listed."""
    return types.ResourceTemplate(
        uriTemplate=resource.uri,
        name=resource.name,
        title=resource.title or None,
        description=resource.description or None,
        mimeType=resource.media_type,
    )


def prompt_of(prompt: Prompt) -> types.Prompt:
    """A prompt as it is listed."""
    arguments = [
        types.PromptArgument(name=one.name, description=one.description or None, required=one.required)
        for one in prompt.arguments
    ]
    return types.Prompt(
        name=prompt.name, title=prompt.title or None, description=prompt.description, arguments=arguments
    )


def sampled(block: Said) -> types.SamplingMessageContentBlock:
    """What the caller's model is shown."""
    match block:
        case Text(text):
            return _text(text)
        case Image(data, media_type):
            return types.ImageContent(type="image", data=_encoded(data), mimeType=media_type)
        case Audio(data, media_type):
            return types.AudioContent(type="audio", data=_encoded(data), mimeType=media_type)


def said_of(content: object) -> tuple[Said, ...]:
    """What the caller's model said, as far as tools can use it."""
    blocks: Sequence[object] = content if isinstance(content, list) else [content]
    return tuple(block for one in blocks for block in _said(one))


def flat_schema(schema: JsonObject) -> JsonObject:
    """The schema of a question, which is that of an object whatever it says."""
    return {"type": "object", "properties": {}, **schema}


def _said(block: object) -> Sequence[Said]:
    match block:
        case types.TextContent(text=text):
            return [Text(text)]
        case types.ImageContent(data=data, mimeType=media_type):
            return [Image(base64.b64decode(data), media_type)]
        case types.AudioContent(data=data, mimeType=media_type):
            return [Audio(base64.b64decode(data), media_type)]
    return []


def _annotations(hints: ToolHints) -> types.ToolAnnotations | None:
    if hints == ToolHints():
        return None
    return types.ToolAnnotations(
        readOnlyHint=hints.read_only,
        destructiveHint=hints.destructive,
        idempotentHint=hints.idempotent,
        openWorldHint=hints.open_world,
    )


def _text(text: str) -> types.TextContent:
    return types.TextContent(type="text", text=text)


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
