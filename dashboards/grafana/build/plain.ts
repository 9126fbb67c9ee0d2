/** Grafana's schema as JSON writes it: its enumerations are the words that they stand for. */
import type {
  AnnotationQuery,
  Dashboard,
  DashboardLink,
  FieldConfig,
  FieldConfigSource,
  Panel,
  RowPanel,
  Threshold,
  ValueMapping,
  VariableModel,
} from '@grafana/schema';

type Plain<T> = T extends string
  ? `${T}`
  : T extends number
    ? `${T}` extends `${infer N extends number}`
      ? N
      : number
    : T extends readonly (infer E)[]
      ? Plain<E>[]
      : T extends object
        ? { [K in keyof T]: Plain<T[K]> }
        : T;

export type { Threshold };
export type PlainMapping = Plain<ValueMapping>;
export type PlainField = Plain<FieldConfig>;
export type PlainFields = Plain<FieldConfigSource>;
export type PlainLink = Plain<DashboardLink>;
export type PlainPanel = Omit<Panel, 'fieldConfig' | 'datasource' | 'targets'> & {
  readonly fieldConfig: PlainFields;
  readonly datasource: DataSource;
  readonly targets: readonly Target[];
  readonly id: number;
};
export type PlainRow = RowPanel & { readonly id: number };
export type PlainVariable = Plain<VariableModel> & { readonly definition?: string };
export type PlainAnnotation = Omit<Plain<AnnotationQuery>, 'target'> & { readonly target: Target };

export interface PlainDashboard
  extends Omit<Dashboard, 'panels' | 'templating' | 'annotations' | 'links' | 'id' | 'uid' | 'title'> {
  readonly id: null;
  readonly uid: string;
  readonly title: string;
  readonly panels: readonly (PlainPanel | PlainRow)[];
  readonly templating: { readonly list: readonly PlainVariable[] };
  readonly annotations: { readonly list: readonly PlainAnnotation[] };
  readonly links: readonly PlainLink[];
}

export interface DataSource {
  readonly type: string;
  readonly uid: string;
}

/** What the ClickHouse plugin asks for: format 0 is a time series, 1 a table. */
export interface Target {
  readonly refId: string;
  readonly datasource: DataSource;
  readonly editorType: 'sql';
  readonly queryType: 'timeseries' | 'table';
  readonly format: 0 | 1;
  readonly rawSql: string;
  readonly pluginVersion: string;
}
