import { splitUrl } from '../../../src/connections/http/http-sender';
import { compileTemplate, TemplateRenderError } from '../../../src/matching/template/template';
import { orderEvent } from './order-event';

const ROW = `{"id":"7","none":"","nothing":null,"up":"..","here":".","dots":"...","city":"Århus","q":"a b&c?d#e/f","list":[],"hash":"#"}`;
const url = (source: string): string => compileTemplate(splitUrl(`https://h.example${source}`)[1], 'url').render(orderEvent(ROW)).text;

test.each([
  '/größe',
  '/日本/東京?q=日本',
  '/a b',
  '/a%20b',
  '/100%',
  '/{id}?x={y}',
  `/it's?q=it's`,
  '/"<>`|[]?a="<>`|[]\\{}',
  '/😀?😀',
  '?q= x',
  '',
  '/a//b/',
  '/~!$&()*+,;=:@',
  '/a?b?c',
])('%j goes out as the URL standard writes it', (source) => {
  const { pathname, search } = new URL(`https://h.example${source}`);
  expect(url(source)).toBe(pathname + search);
});

test.each([
  ['/größe/{{ city }}?ä={{ city }}', '/gr%C3%B6%C3%9Fe/%C3%85rhus?%C3%A4=%C3%85rhus'],
  ['/{{ q }}?{{ q }}', '/a%20b%26c%3Fd%23e%2Ff?a%20b%26c%3Fd%23e%2Ff'],
  ['/x?a={{ none }}&b={{ nothing }}&c={{ nowhere }}', '/x?a=&b=&c='],
  ['/p/{{ none | allow_empty }}/x', '/p//x'],
  ['/p/{{ nowhere | allow_empty }}?a={{ id | allow_empty }}', '/p/?a=7'],
  ['/p/{{ nothing | default: "none" }}/{{ id | default: "none" }}', '/p/none/7'],
  ['/{% if none != "" %}{{ none }}{% else %}none{% endif %}', '/none'],
  ['/{{ dots }}/{{ id }}..', '/.../7..'],
  ["/{{ '#' }}/{{ hash }}?{{ id | append: '#' }}", '/%23/%23?7%23'],
  ['/{{ id }}#{{ city }}', '/7'],
  ['#top', '/'],
])('%s gives %s', (source, expected) => expect(url(source)).toBe(expected));

test.each([
  ['/p/{{ none }}/x', 'a value in the path of the URL is empty or missing (none)'],
  ['/p/{{ data.nothing }}', 'a value in the path of the URL is empty or missing (data.nothing)'],
  ['/p/{{ nowhere | upcase }}/x?q=1', '(nowhere); where that is meant: {{ nowhere | allow_empty }}'],
  ['/p/{{ nothing | default: "" }}', 'is empty or missing (nothing)'],
  ['/p/{{ nothing | default: none }}', 'is empty or missing (nothing)'],
  ['/p/a-{{ none }}', 'is empty or missing (none)'],
  ['/p/{% capture c %}{{ none }}{% endcapture %}{{ c }}', 'is empty or missing (c)'],
  ['/p/{% echo none %}', 'is empty or missing (none)'],
  ['/p/{{ up }}', 'which would name another resource'],
  ['/p/{{ id | remove: "7" | append: ".." }}/x', 'which would name another resource'],
  ['/p/.{{ none | allow_empty }}/x', 'which would name another resource'],
  ['/p/{% if id %}..{% endif %}/x', 'which would name another resource'],
  ['/p/%2E{{ none | allow_empty }}%2e', 'which would name another resource'],
])('%s is no request: %s', (source, message) => {
  expect(() => url(source)).toThrow(TemplateRenderError);
  expect(() => url(source)).toThrow(message);
});
