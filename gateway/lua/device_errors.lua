-- gRPC has no status for a body that is too large, HTTP has: boards split a batch after a 413.
local function split_large_bodies(headers)
  if headers:get("x-dashtrack-reason") == "BATCH_TOO_LARGE" and headers:get(":status") == "400" then
    headers:replace(":status", "413")
  end
end

-- A service that refuses tells its own limit; that of the gateway, which let the request pass, comes
-- behind it in the same headers and would deny what the first says.
local function tell_one_limit(headers)
  for _, name in ipairs({"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"}) do
    if headers:getNumValues(name) > 1 then
      headers:replace(name, headers:getAtIndex(name, 0))
    end
  end
end

function envoy_on_response(handle)
  local headers = handle:headers()
  split_large_bodies(headers)
  tell_one_limit(headers)
end
