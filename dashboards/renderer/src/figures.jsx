/** Figures, bars and tables: Grafana's own. */
import { getDisplayValueAlignmentFactors, getFieldDisplayValues, VizOrientation } from '@grafana/data';
import { BarGauge, BigValue, Table, VizRepeater } from '@grafana/ui';
import { plain, theme } from './frames.js';

function valuesOf(panel, frames, timeZone, sparkline) {
  const { reduceOptions } = panel.options;
  return getFieldDisplayValues({
    data: frames,
    reduceOptions,
    fieldConfig: panel.fieldConfig,
    replaceVariables: plain,
    sparkline,
    theme,
    timeZone,
  });
}

export function Figures({ panel, frames, width, height, timeZone, timeRange }) {
  const { options } = panel;
  const values = valuesOf(panel, frames, timeZone, options.graphMode !== 'none');
  return (
    <VizRepeater
      getValues={() => values}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      source={frames}
      renderCounter={1}
      width={width}
      height={height}
      autoGrid
      orientation={VizOrientation.Auto}
      renderValue={({ value, alignmentFactors, width: w, height: h, count }) => (
        <BigValue
          value={{ ...value.display, title: value.display.title }}
          count={count}
          sparkline={value.sparkline === undefined ? undefined : { ...value.sparkline, timeRange }}
          colorMode={options.colorMode}
          graphMode={options.graphMode}
          justifyMode={options.justifyMode}
          textMode={options.textMode}
          alignmentFactors={alignmentFactors}
          width={w}
          height={h}
          theme={theme}
        />
      )}
    />
  );
}

export function Bars({ panel, frames, width, height, timeZone }) {
  const { options } = panel;
  const values = valuesOf(panel, frames, timeZone, false);
  return (
    <VizRepeater
      getValues={() => values}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      source={frames}
      renderCounter={1}
      width={width}
      height={height}
      minVizHeight={options.minVizHeight}
      maxVizHeight={options.maxVizHeight}
      itemSpacing={8}
      orientation={VizOrientation.Horizontal}
      renderValue={({ value, alignmentFactors, width: w, height: h }) => (
        <BarGauge
          value={value.display}
          field={value.field}
          display={value.view?.getFieldDisplayProcessor(value.colIndex ?? 0)}
          alignmentFactors={alignmentFactors}
          displayMode={options.displayMode}
          valueDisplayMode={options.valueMode}
          namePlacement={options.namePlacement}
          showUnfilled={options.showUnfilled}
          orientation={VizOrientation.Horizontal}
          itemSpacing={8}
          width={w}
          height={h}
          theme={theme}
        />
      )}
    />
  );
}

export function Rows({ frames, width, height, timeRange }) {
  return (
    <Table data={frames[0]} width={width} height={height} cellHeight="sm" timeRange={timeRange} columnMinWidth={80} />
  );
}
