"""What LangGraph's server loads beside the graph: who may call, and groat's own pages."""
