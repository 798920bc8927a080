/** As an application's client sends them; the host is one that all proxies serve. */
export const REQUEST_HEADERS: Readonly<Record<string, string>> = {
  host: 'echo',
  'user-agent': 'bench/1.0',
  accept: '*/*',
  'accept-language': 'en',
  'x-client': 'bench-client-1',
}
