/** Draws a dashboard out of its JSON and the answers of its queries: `window.drawDashboard`. */
import { dateTime, ThemeContext } from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import { GlobalStyles, PanelChrome, PortalContainer } from '@grafana/ui';
import { createRoot } from 'react-dom/client';
import '@fontsource/inter/400.css';
import '@fontsource/inter/500.css';
import 'uplot/dist/uPlot.min.css';
import { Bars, Figures, Rows } from './figures.jsx';
import { framesOf, theme } from './frames.js';
import { Graph } from './graph.jsx';
import { Heatmap } from './heatmap.jsx';
import { Timeline } from './timeline.jsx';

const columns = 24;
const unitPx = 30;
const gapPx = 8;
const timeZone = 'utc';

const kinds = {
  timeseries: Graph,
  stat: Figures,
  bargauge: Bars,
  table: Rows,
  heatmap: Heatmap,
  'state-timeline': Timeline,
};

function Nothing({ panel, width, height }) {
  const style = {
    width,
    height,
    display: 'grid',
    placeItems: 'center',
    color: theme.colors.text.secondary,
    padding: 16,
  };
  return <div style={{ ...style, textAlign: 'center' }}>{panel.fieldConfig.defaults.noValue}</div>;
}

function Panel({ panel, answers, width, height, timeRange, annotations }) {
  const isEmpty = answers.every(({ rows }) => rows.length === 0);
  const frames = isEmpty ? [] : framesOf(panel, answers, timeZone);
  const Kind = isEmpty ? Nothing : kinds[panel.type];
  return (
    <PanelChrome title={panel.title} description={panel.description} width={width} height={height}>
      {(w, h) => <Kind {...{ panel, frames, timeRange, timeZone, annotations }} width={w} height={h} />}
    </PanelChrome>
  );
}

function Dashboard({ dashboard, answers, range, variables, annotations, width }) {
  const timeRange = { from: dateTime(range.fromMs), to: dateTime(range.toMs), raw: { from: '', to: '' } };
  const cell = (width + gapPx) / columns;
  const bottom = Math.max(...dashboard.panels.map(({ gridPos: { y, h } }) => y + h));
  const place = ({ x, y, w, h }) => ({
    position: 'absolute',
    left: x * cell,
    top: y * (unitPx + gapPx),
    width: w * cell - gapPx,
    height: h * (unitPx + gapPx) - gapPx,
  });
  return (
    <div style={{ width, padding: 16, background: theme.colors.background.canvas, color: theme.colors.text.primary }}>
      <header style={{ display: 'flex', gap: 24, alignItems: 'baseline', marginBottom: 12 }}>
        <h1 style={{ fontSize: 22, margin: 0 }}>{dashboard.title}</h1>
        {variables.map(({ label, value }) => (
          <span key={label} style={{ color: theme.colors.text.secondary }}>
            {label} <b style={{ color: theme.colors.text.primary }}>{value}</b>
          </span>
        ))}
        <span style={{ marginLeft: 'auto' }}>
          {new Date(range.fromMs).toISOString().slice(0, 16).replace('T', ' ')} to{' '}
          {new Date(range.toMs).toISOString().slice(11, 16)} UTC
        </span>
      </header>
      <main style={{ position: 'relative', height: bottom * (unitPx + gapPx) }}>
        {dashboard.panels.map((panel) => (
          <div key={panel.id} style={place(panel.gridPos)}>
            {panel.type === 'row' ? (
              <h2 style={{ fontSize: 16, lineHeight: '30px', margin: 0 }}>{panel.title}</h2>
            ) : (
              <Panel
                panel={panel}
                answers={answers[panel.id]}
                width={panel.gridPos.w * cell - gapPx}
                height={panel.gridPos.h * (unitPx + gapPx) - gapPx}
                timeRange={timeRange}
                annotations={annotations}
              />
            )}
          </div>
        ))}
      </main>
    </div>
  );
}

window.drawDashboard = async (given) => {
  await initPluginTranslations('meshward');
  const element = document.createElement('div');
  document.body.replaceChildren(element);
  createRoot(element).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles hackNoBackdropBlur />
      <PortalContainer />
      <Dashboard width={1600} {...given} />
    </ThemeContext.Provider>,
  );
};
