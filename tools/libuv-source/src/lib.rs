//! Empty on purpose: the manifest beside it is the whole tool.
