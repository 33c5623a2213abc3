"""The pages: one file per page, each a function that asks the store and fills a template."""
