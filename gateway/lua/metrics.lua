-- Takes Envoy's prefix off the series that are the product's own. Envoy's keep it: dashboards the
-- world over know them by it.
function envoy_on_response(handle)
  if handle:headers():get(":status") ~= "200" then
    return
  end
  local body = handle:body()
  if body == nil then
    return
  end
  local text = body:getBytes(0, body:length())
  text = text:gsub("envoy_http_requests_total", "http_requests_total")
  text = text:gsub("envoy_http_request_duration_seconds", "http_request_duration_seconds")
  handle:headers():remove("content-length")
  body:setBytes(text)
end
