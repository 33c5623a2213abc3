"""The door for browsers and programs: pages and API over HTTP. What a person may see is decided by the store."""
