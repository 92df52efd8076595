-- gRPC has no status for a body that is too large, HTTP has: boards split a batch after a 413.
function envoy_on_response(handle)
  local headers = handle:headers()
  if headers:get("x-dashtrack-reason") == "BATCH_TOO_LARGE" and headers:get(":status") == "400" then
    headers:replace(":status", "413")
  end
end
