"""A client of the `mcp` package that talks to `casemate mcp`; run by test_mcp.py in an environment that has it.

Prints one JSON object of what it saw. usage: real_client.py CASEMATE
"""

import asyncio
import json
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
PICTURE = (f"import base64\nclass Plot:\n    def _repr_png_(self): return base64.b64decode('{PNG}')\n"
           "    def __repr__(self): return 'a plot'\ndisplay(Plot())\nprint('drawn')\nresult = {'n': 1}")


def blocks(result):
    return [block.model_dump(by_alias=True, exclude_none=True, mode="json") for block in result.content]


def plain(result):
    """The answer, whatever the package's version calls its fields."""
    data = result.model_dump(by_alias=True, mode="json")
    return {"content": blocks(result), "isError": data["isError"], "structured": data["structuredContent"]}


async def main():
    seen = {"progress": []}

    async def on_progress(progress, total, message):
        seen["progress"].append([progress, message])

    parameters = StdioServerParameters(command=sys.argv[1], args=["mcp", "--no-engine"], env=None)
    async with stdio_client(parameters) as (read, write), ClientSession(read, write) as session:
        hello = (await session.initialize()).model_dump(by_alias=True, mode="json")
        seen["version"], seen["server"] = hello["protocolVersion"], hello["serverInfo"]["name"]
        await session.send_ping()
        tools = (await session.list_tools()).model_dump(by_alias=True, mode="json", exclude_none=True)["tools"]
        seen["tools"] = {tool["name"]: tool["inputSchema"].get("required") for tool in tools}
        seen["picture"] = plain(await session.call_tool("run_python", {"code": PICTURE}))
        seen["error"] = plain(await session.call_tool("run_python", {"code": "1/0"}))
        seen["command"] = plain(await session.call_tool("run_command", {"command": ["echo", "hi"]}))
        seen["check"] = plain(await session.call_tool("check_code", {"code": "import socket"}))
        seen["bad"] = plain(await session.call_tool("run_python", {"code": 1}))
        code = "import time\nfor n in range(3):\n    print(n, flush=True)\n    time.sleep(0.1)"
        await session.call_tool("run_python", {"code": code}, progress_callback=on_progress)
        many = await asyncio.gather(*(session.call_tool("run_python", {"code": f"result = {n}"}) for n in range(5)))
        seen["many"] = [plain(one)["structured"]["result"] for one in many]
    print(json.dumps(seen))


asyncio.run(main())
