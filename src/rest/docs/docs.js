// Shows /api/openapi.json. Everything is put in as text, so that nothing of the document can run.

const WORDS = {
  en: {
    other: 'Русский', token: 'Token or key', theme: 'Light / dark', filter: 'Filter', errors: 'Errors',
    errorsText: 'Every error is a problem document (RFC 9457) with one of these stable numbers.', schemas: 'Schemas',
    parameters: 'Parameters', body: 'Body', answers: 'Answers', needed: 'required', example: 'Example', tryIt: 'Try it',
    send: 'Send', copy: 'Copy', copied: 'Copied', number: 'Number', name: 'Name', status: 'Status', meaning: 'Meaning',
    later: 'may succeed later', nobody: 'No token needed.', bearer: 'A user’s token', api_key: 'An API key', or: ' or ',
    failed: 'No answer: ', oneOf: 'one of', listOf: 'list of', defaultIs: 'default', problem: 'A problem',
  },
  ru: {
    other: 'English', token: 'Токен или ключ', theme: 'Светлая / тёмная', filter: 'Поиск', errors: 'Ошибки',
    errorsText: 'Каждая ошибка — документ problem (RFC 9457) с одним из этих неизменных номеров.', schemas: 'Схемы',
    parameters: 'Параметры', body: 'Тело запроса', answers: 'Ответы', needed: 'обязательно', example: 'Пример',
    tryIt: 'Попробовать', send: 'Отправить', copy: 'Копировать', copied: 'Скопировано', number: 'Номер', name: 'Имя',
    status: 'Статус', meaning: 'Значение', later: 'может удаться позже', nobody: 'Токен не нужен.',
    bearer: 'Токен пользователя', api_key: 'Ключ API', or: ' или ', failed: 'Нет ответа: ', oneOf: 'одно из',
    listOf: 'список из', defaultIs: 'по умолчанию', problem: 'Ошибка',
  },
};
const METHODS = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options'];

let language = localStorage.getItem('konvert-docs-language') ?? (navigator.language.startsWith('ru') ? 'ru' : 'en');
let api = null;

const word = (name) => WORDS[language][name] ?? name;
const byId = (id) => document.getElementById(id);

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// Paragraphs and `code` of a description.
function prose(text) {
  return (text ?? '').split(/\n\s*\n/).filter(Boolean).map((part) => {
    const pieces = part.split('`').map((piece, at) => (at % 2 ? element('code', {}, piece) : piece));
    return element('p', {}, ...pieces);
  });
}

function inline(text) {
  return (text ?? '').split('`').map((piece, at) => (at % 2 ? element('code', {}, piece) : piece));
}

const nameOf = (reference) => reference.split('/').pop();
const resolve = (schema) => (schema?.$ref ? api.components.schemas[nameOf(schema.$ref)] ?? {} : schema ?? {});

// What a schema is, in a few words, with links to named ones.
function kind(schema) {
  if (!schema) return ['?'];
  if (schema.$ref) return [element('a', { href: `#schema-${nameOf(schema.$ref)}` }, nameOf(schema.$ref))];
  const many = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (many) return many.flatMap((one, at) => [at ? ' | ' : '', ...kind(one)]);
  if (schema.enum) return [`${word('oneOf')} `, ...schema.enum.flatMap((one, at) => [at ? ', ' : '', element('code', {}, String(one))])];
  const type = [schema.type ?? 'any'].flat().join(' | ');
  if (schema.type === 'array' || schema.items) return [`${word('listOf')} `, ...kind(schema.items)];
  return [schema.format ? `${type} (${schema.format})` : type];
}

function fields(schema) {
  const whole = resolve(schema);
  const parts = whole.allOf ? whole.allOf.map(resolve) : [whole];
  const rows = parts.flatMap((part) => Object.entries(part.properties ?? {}).map(([name, field]) => {
    const must = (part.required ?? []).includes(name);
    const fallback = field.default === undefined ? [] : [' · ', word('defaultIs'), ' ', element('code', {}, JSON.stringify(field.default))];
    return element('tr', {},
      element('td', { class: 'name' }, element('code', {}, name), must ? element('div', { class: 'need' }, word('needed')) : null),
      element('td', {}, element('div', { class: 'kind' }, ...kind(field), ...fallback), ...inline(field.description)));
  }));
  return rows.length ? element('div', { class: 'wide' }, element('table', {}, ...rows)) : element('p', { class: 'kind' }, ...kind(whole));
}

// An example by the schema's own examples, or made up by its types.
function example(schema, depth = 0) {
  if (!schema || depth > 6) return null;
  if (schema.example !== undefined) return schema.example;
  if (schema.examples?.length) return schema.examples[0];
  if (schema.default !== undefined) return schema.default;
  if (schema.$ref) return example(resolve(schema), depth + 1);
  const many = schema.oneOf ?? schema.anyOf;
  if (many) return example(many.find((one) => one.type !== 'null') ?? many[0], depth + 1);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((one) => example(one, depth + 1)));
  if (schema.enum) return schema.enum[0];
  const type = [schema.type].flat().find((one) => one !== 'null');
  if (type === 'object' || schema.properties) {
    const must = schema.required ?? [];
    const chosen = Object.entries(schema.properties ?? {}).filter(([name]) => depth === 0 || must.includes(name));
    return Object.fromEntries(chosen.map(([name, field]) => [name, example(field, depth + 1)]));
  }
  if (type === 'array') return [example(schema.items, depth + 1)];
  return { string: 'text', integer: 1, number: 1, boolean: true }[type] ?? null;
}

function copyable(text) {
  const shown = element('code', {}, text);
  const button = element('button', { type: 'button', onclick: async () => {
    await navigator.clipboard?.writeText(shown.textContent);
    button.textContent = word('copied');
    setTimeout(() => { button.textContent = word('copy'); }, 1500);
  } }, word('copy'));
  return element('div', { class: 'copy' }, element('pre', {}, shown), button);
}

function needs(operation) {
  const security = operation.security ?? api.security ?? [];
  const ways = security.flatMap((one) => Object.keys(one));
  if (!ways.length) return word('nobody');
  return `${ways.map((way) => word(way)).join(word('or'))}.`;
}

function bodyOf(operation) {
  const [type, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  return type ? { type, schema: content.schema } : null;
}

function curl(method, path, operation) {
  const body = bodyOf(operation);
  const query = (operation.parameters ?? []).filter((one) => one.in === 'query' && one.required)
    .map((one) => `${one.name}=${one.name.toUpperCase()}`).join('&');
  const lines = [`curl -X ${method.toUpperCase()} '${location.origin}${path}${query ? `?${query}` : ''}'`];
  if ((operation.security ?? api.security ?? []).some((one) => Object.keys(one).length)) lines.push("  -H 'authorization: Bearer TOKEN'");
  if (body) {
    lines.push(`  -H 'content-type: ${body.type}'`);
    lines.push(body.type.includes('json') ? `  -d '${JSON.stringify(example(body.schema)).replaceAll("'", "'\\''")}'` : "  --data-binary @FILE");
  }
  return lines.join(' \\\n');
}

function tryForm(method, path, operation) {
  const body = bodyOf(operation);
  const inputs = (operation.parameters ?? []).filter((one) => one.in !== 'header')
    .map((one) => ({ one, field: element('input', { name: one.name }) }));
  const text = body?.type.includes('json') ? element('textarea', { spellcheck: 'false' }) : null;
  const file = body && !text ? element('input', { type: 'file' }) : null;
  if (text) text.value = JSON.stringify(example(body.schema), null, 2);
  const answer = element('div');
  const send = async (event) => {
    event.preventDefault();
    let url = path;
    const query = new URLSearchParams();
    for (const { one, field } of inputs) {
      if (one.in === 'path') url = url.replace(`{${one.name}}`, encodeURIComponent(field.value));
      else if (field.value) query.set(one.name, field.value);
    }
    const token = byId('token').value.trim();
    const headers = token ? { authorization: `Bearer ${token}` } : {};
    if (body) headers['content-type'] = body.type;
    try {
      const sent = performance.now();
      const got = await fetch(query.size ? `${url}?${query}` : url, { method: method.toUpperCase(), headers, body: text?.value ?? file?.files[0] });
      const raw = await got.text();
      let shown = raw;
      try { shown = JSON.stringify(JSON.parse(raw), null, 2); } catch { /* not JSON */ }
      answer.replaceChildren(
        element('p', { class: 'answer-head' }, `${got.status} ${got.statusText} · ${Math.round(performance.now() - sent)} ms`),
        shown ? copyable(shown) : '');
    } catch (error) {
      answer.replaceChildren(element('p', { class: 'need' }, word('failed') + error.message));
    }
  };
  return element('form', { class: 'try', onsubmit: send },
    ...inputs.map(({ one, field }) => element('label', {}, element('code', {}, one.name), field)),
    text ?? file, element('div', {}, element('button', { class: 'main' }, word('send'))), answer);
}

function inside(method, path, operation) {
  const parameters = operation.parameters ?? [];
  const body = bodyOf(operation);
  const rows = parameters.map((one) => element('tr', {},
    element('td', { class: 'name' }, element('code', {}, one.name), one.required ? element('div', { class: 'need' }, word('needed')) : null),
    element('td', {}, element('div', { class: 'kind' }, `${one.in} · `, ...kind(one.schema)), ...inline(one.description))));
  const answers = Object.entries(operation.responses ?? {}).map(([status, response]) => {
    const schema = Object.values(response.content ?? {})[0]?.schema;
    const what = status === 'default' ? element('a', { href: '#errors' }, word('problem')) : response.description;
    return element('tr', {}, element('td', { class: 'name' }, element('code', {}, status === 'default' ? '4xx 5xx' : status)),
      element('td', {}, ...(schema ? [element('div', { class: 'kind' }, ...kind(schema))] : []), what ?? ''));
  });
  return element('div', { class: 'inside' },
    ...prose(operation.description), element('p', { class: 'kind' }, needs(operation)),
    rows.length ? element('h4', {}, word('parameters')) : null,
    rows.length ? element('div', { class: 'wide' }, element('table', {}, ...rows)) : null,
    body ? element('h4', {}, word('body'), ' ', element('small', {}, body.type)) : null,
    body ? fields(body.schema) : null,
    element('h4', {}, word('answers')), element('div', { class: 'wide' }, element('table', {}, ...answers)),
    element('h4', {}, word('example')), copyable(curl(method, path, operation)),
    element('h4', {}, word('tryIt')), tryForm(method, path, operation));
}

function operations() {
  const found = Object.entries(api.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ method, path, operation: item[method] })));
  const tags = (api.tags ?? []).map((tag) => ({ ...tag, found: [] }));
  for (const one of found) {
    const name = one.operation.tags?.[0] ?? 'other';
    let tag = tags.find((known) => known.name === name);
    if (!tag) tags.push(tag = { name, found: [] });
    tag.found.push(one);
  }
  return tags.filter((tag) => tag.found.length);
}

function render() {
  document.documentElement.lang = language;
  for (const one of document.querySelectorAll('[data-word]')) one.textContent = word(one.dataset.word);
  for (const one of document.querySelectorAll('[data-placeholder]')) one.placeholder = word(one.dataset.placeholder);
  byId('language').textContent = word('other');
  if (!api) return;
  byId('version').textContent = api.info.version;
  byId('introduction').replaceChildren(...prose(api.info.description));
  const contents = [], sections = [];
  for (const tag of operations()) {
    contents.push(element('h3', {}, tag.name));
    sections.push(element('h2', { id: `tag-${tag.name}` }, tag.name), ...prose(tag.description));
    for (const { method, path, operation } of tag.found) {
      const id = `op-${operation.operationId ?? `${method}-${path}`}`;
      const search = `${method} ${path} ${operation.summary ?? ''} ${tag.name}`.toLowerCase();
      contents.push(element('a', { href: `#${id}`, 'data-search': search },
        element('span', { class: `method ${method}` }, method), element('span', { title: operation.summary ?? '' }, path.replace('/api/', ''))));
      const details = element('details', { class: 'operation', id, 'data-search': search },
        element('summary', {}, element('span', { class: `method ${method}` }, method), element('span', { class: 'path' }, path),
          element('span', { class: 'what' }, operation.summary ?? '')));
      // Made when it is looked at first: there are many.
      details.addEventListener('toggle', () => {
        if (details.open && details.children.length === 1) details.append(inside(method, path, operation));
      });
      sections.push(details);
    }
  }
  byId('contents').replaceChildren(...contents, element('h3', {}, element('a', { href: '#errors' }, word('errors'))));
  byId('operations').replaceChildren(...sections);
  byId('error-table').replaceChildren(
    element('tr', {}, ...['number', 'name', 'status', 'meaning'].map((name) => element('th', {}, word(name)))),
    ...(api['x-errors'] ?? []).map((error) => element('tr', { id: error.name },
      element('td', {}, String(error.code)), element('td', { class: 'name' }, element('a', { href: `#${error.name}` }, error.name)),
      element('td', {}, String(error.status)),
      element('td', {}, ...inline(error.meaning), error.temporary ? element('div', { class: 'kind' }, word('later')) : null))));
  byId('schema-list').replaceChildren(...Object.entries(api.components?.schemas ?? {}).sort().map(([name, schema]) =>
    element('div', { id: `schema-${name}` }, element('h4', {}, name), ...prose(schema.description), fields(schema))));
  filter();
  goToAnchor();
}

function filter() {
  const wanted = byId('filter').value.trim().toLowerCase();
  for (const one of document.querySelectorAll('[data-search]')) one.classList.toggle('hidden', !one.dataset.search.includes(wanted));
}

function goToAnchor() {
  const target = location.hash.length > 1 ? byId(decodeURIComponent(location.hash.slice(1))) : null;
  document.querySelector('.aimed')?.classList.remove('aimed');
  if (!target) return;
  target.classList.add('aimed');
  if (target.tagName === 'DETAILS') target.open = true;
  target.scrollIntoView();
}

byId('language').addEventListener('click', () => {
  language = language === 'ru' ? 'en' : 'ru';
  localStorage.setItem('konvert-docs-language', language);
  render();
});
byId('theme').addEventListener('click', () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
  localStorage.setItem('konvert-docs-theme', root.dataset.theme);
});
byId('filter').addEventListener('input', filter);
document.querySelector('form.token').addEventListener('submit', (event) => event.preventDefault());
addEventListener('hashchange', goToAnchor);

const theme = localStorage.getItem('konvert-docs-theme');
if (theme) document.documentElement.dataset.theme = theme;
render();
api = await (await fetch('/api/openapi.json')).json();
render();
document.body.dataset.ready = 'yes';
