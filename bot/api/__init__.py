"""The REST API on GPUBOT_API, with which programs rent machines."""
