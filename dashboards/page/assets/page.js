// The page: draws the newest state of /v1/stream. It holds nothing itself; when the stream breaks it says so and asks again.

const grades = ['lost', 'critical', 'at-risk', 'degraded', 'healthy'];
const states = ['up', 'suspect', 'down', 'departed', 'draining', 'maintenance'];
const at = (id) => document.getElementById(id);

let latest = null;
let drawing = false;

const stream = new EventSource('/v1/stream');
stream.addEventListener('state', (event) => {
  // Peers are sent again only when they have changed.
  latest = { ...latest, ...JSON.parse(event.data) };
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    draw(latest);
  });
});
stream.addEventListener('error', () => {
  showFreshness('stale', 'no connection: figures are old');
  showAnswer('unknown', 'unknown: the page has lost its connection');
});
new ResizeObserver(() => latest && drawMargins(latest.moments)).observe(at('margins').parentElement);

function draw({ mesh, moments, atRisk, running, brake, repairs, peers }) {
  const reasons = mesh.freshness.reasons.join('; ');
  showFreshness(mesh.freshness.state, mesh.freshness.state === 'fresh' ? 'fresh' : `stale: ${reasons}`);
  drawAnswer(mesh);
  drawAlerts(mesh.alerts);
  at('files').textContent = mesh.files.toLocaleString('en');
  at('bytes').textContent = bytes(mesh.bytes);
  at('worst').textContent = mesh.byMargin.length === 0 ? '–' : Math.min(...mesh.byMargin.map(({ margin }) => margin));
  const up = mesh.peersByState.find(({ state }) => state === 'up')?.peers ?? 0;
  at('peers-up').textContent = `${up} / ${mesh.peersByState.reduce((sum, { peers: count }) => sum + count, 0)}`;
  at('at-risk-count').textContent = atRisk.total.toLocaleString('en');
  at('running-count').textContent = running.length;
  drawGrades(mesh);
  drawMargins(moments);
  drawPeers(peers, mesh.peersByState);
  at('brake').hidden = brake === null;
  at('brake').textContent = brake ?? '';
  rows('running', running, 'Nothing is being repaired.', (repair) => [
    cell(repair.storageIndex.slice(0, 10), 'file', repair.storageIndex),
    cell(repair.grade),
    cell(`+${repair.shares}`, 'number'),
    progress(repair.progress),
    cell(bytes(repair.bytes), 'number'),
  ]);
  rows('at-risk', atRisk.files, 'No file needs repair.', (file) => [
    cell(file.storageIndex.slice(0, 10), 'file', file.storageIndex),
    cell(file.grade),
    cell(`${file.available} of ${file.n}`, 'number'),
    cell(file.margin, 'number'),
    cell(file.cause),
  ]);
  rows('done', repairs, 'No repair has ended yet.', (repair) => [
    cell(new Date(repair.endedAtMs).toLocaleTimeString()),
    cell(repair.storageIndex.slice(0, 10), 'file', repair.storageIndex),
    cell(repair.errorCode === '' ? repair.outcome : `${repair.outcome}: ${repair.errorCode}`),
    cell(`${repair.availableBefore} → ${repair.availableAfter}`, 'number'),
    cell(bytes(repair.bytesRead), 'number'),
    cell(bytes(repair.bytesWritten), 'number'),
  ]);
}

function drawAnswer(mesh) {
  if (mesh.freshness.state !== 'fresh') return showAnswer('unknown', 'not known now: health is stale');
  if (mesh.files === 0) return showAnswer('unknown', 'no file is known yet');
  const lost = mesh.byGrade.find(({ grade }) => grade === 'lost').files;
  if (lost > 0) return showAnswer('no', `no: ${lost} of ${mesh.files} could not`);
  return showAnswer('yes', `yes, all ${mesh.files}`);
}

function showAnswer(state, text) {
  at('answer').dataset.state = state;
  at('answer').textContent = text;
}

function showFreshness(state, text) {
  at('freshness').dataset.state = state;
  at('freshness').textContent = text;
}

function drawAlerts(alerts) {
  at('alerts').hidden = alerts.length === 0;
  at('alerts').replaceChildren(
    ...alerts.map(({ severity, summary, next }) => {
      const item = document.createElement('li');
      item.dataset.severity = severity;
      item.append(element('b', summary), element('span', next));
      return item;
    }),
  );
}

function drawGrades({ byGrade }) {
  at('grades').replaceChildren(
    ...grades.map((grade) => {
      const bar = document.createElement('div');
      const files = byGrade.find((count) => count.grade === grade)?.files ?? 0;
      bar.dataset.colour = grade;
      bar.style.flexGrow = files;
      bar.hidden = files === 0;
      bar.title = `${grade}: ${files} files`;
      return bar;
    }),
  );
  legend(
    'grade-legend',
    grades.map((grade) => [grade, byGrade.find((count) => count.grade === grade)?.files ?? 0]),
  );
}

function drawPeers(peers, byState) {
  const domains = new Map();
  for (const peer of peers) {
    const label = peer.domains.zone ?? Object.values(peer.domains)[0] ?? 'no domain';
    if (!domains.has(label)) domains.set(label, []);
    domains.get(label).push(peer);
  }
  at('domains').replaceChildren(
    ...[...domains]
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([label, members]) => {
        const box = document.createElement('div');
        const cells = element('div', '', 'cells');
        for (const { name, state, flapScore } of members.sort((a, b) =>
          a.name.localeCompare(b.name, 'en', { numeric: true }),
        )) {
          const mark = document.createElement('i');
          mark.dataset.colour = state;
          mark.title = `${name}: ${state}${flapScore >= 0.5 ? `, flapped ${flapScore.toFixed(1)}` : ''}`;
          cells.append(mark);
        }
        box.append(
          element('h3', `${label} · ${members.filter(({ state }) => state === 'up').length}/${members.length}`),
          cells,
        );
        return box;
      }),
  );
  legend(
    'peer-legend',
    states.map((state) => [state, byState.find((count) => count.state === state)?.peers ?? 0]),
  );
}

function legend(id, entries) {
  at(id).replaceChildren(
    ...entries.map(([label, count]) => {
      const item = document.createElement('li');
      const mark = document.createElement('i');
      mark.dataset.colour = label;
      item.append(mark, `${label} `, element('b', count));
      return item;
    }),
  );
}

/** Time runs to the right, margins upwards from the lowest seen; zero, where a file could just be recovered, is a line. */
function drawMargins(moments) {
  const canvas = at('margins');
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = window.devicePixelRatio || 1;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const pen = canvas.getContext('2d');
  pen.scale(scale, scale);
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue('--quiet');
  pen.font = '11px system-ui, sans-serif';
  pen.fillStyle = ink;
  const seen = moments.filter(({ files }) => files.length > 0);
  if (seen.length === 0) {
    pen.fillText('no sweep yet', 40, height / 2);
    return;
  }
  const margins = seen.flatMap(({ files }) => files.map(([margin]) => margin));
  const low = Math.min(0, ...margins) - 2;
  const high = Math.max(10, ...margins) + 2;
  const most = Math.max(...seen.flatMap(({ files }) => files.map(([, count]) => count)));
  const [left, right, top, bottom] = [34, 8, 6, 20];
  const first = seen[0].atMs;
  const last = Math.max(first + 20_000, seen.at(-1).atMs + 2000);
  const x = (atMs) => left + ((atMs - first) / (last - first)) * (width - left - right);
  const y = (margin) => top + ((high - margin) / (high - low)) * (height - top - bottom);
  const heat = style.getPropertyValue('--heat');
  const rowHeight = Math.max(2, y(0) - y(1));
  seen.forEach(({ atMs, files }, i) => {
    const from = x(atMs);
    const to = x(seen[i + 1]?.atMs ?? last);
    for (const [margin, count] of files) {
      pen.fillStyle = `rgba(${heat}, ${0.18 + 0.82 * Math.sqrt(count / most)})`;
      pen.fillRect(from, y(margin) - rowHeight / 2, Math.max(1, to - from + 0.5), rowHeight);
    }
  });
  pen.strokeStyle = style.getPropertyValue('--line');
  pen.fillStyle = ink;
  pen.textAlign = 'right';
  const step = [5, 10, 20, 25, 50, 100].find((size) => (high - low) / size <= 7) ?? 100;
  for (let margin = Math.ceil(low / step) * step; margin <= high; margin += step) {
    pen.beginPath();
    pen.moveTo(left, y(margin));
    pen.lineTo(width - right, y(margin));
    pen.stroke();
    pen.fillText(String(margin), left - 6, y(margin) + 4);
  }
  pen.strokeStyle = style.getPropertyValue('--lost');
  pen.beginPath();
  pen.moveTo(left, y(0));
  pen.lineTo(width - right, y(0));
  pen.stroke();
  pen.textAlign = 'left';
  pen.fillText(new Date(first).toLocaleTimeString(), left, height - 5);
  pen.textAlign = 'right';
  pen.fillText(new Date(last).toLocaleTimeString(), width - right, height - 5);
}

function rows(id, entries, empty, cellsOf) {
  const body = at(id).tBodies[0];
  if (entries.length === 0) {
    const none = cell(empty, 'empty');
    none.colSpan = at(id).tHead.rows[0].cells.length;
    body.replaceChildren(wrap('tr', [none]));
    return;
  }
  body.replaceChildren(...entries.map((entry) => wrap('tr', cellsOf(entry))));
}

function wrap(tag, children) {
  const node = document.createElement(tag);
  node.append(...children);
  return node;
}

function element(tag, text, className = '') {
  const node = document.createElement(tag);
  node.textContent = text;
  node.className = className;
  return node;
}

function cell(text, className = '', title = '') {
  const node = element('td', text, className);
  node.title = title;
  return node;
}

function progress(part) {
  const bar = document.createElement('progress');
  bar.max = 1;
  bar.value = part;
  return wrap('td', [bar]);
}

function bytes(count) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 2 : 1)} ${units[unit]}`;
}
