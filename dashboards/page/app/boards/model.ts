/** Dashboards as their JSON says them, as far as they are drawn here, and what the analyzer answers to their questions. */

export interface Thresholds {
  readonly steps: readonly { readonly value: number | null; readonly color: string }[];
}

export interface FieldSettings {
  readonly unit?: string;
  readonly decimals?: number;
  readonly min?: number;
  readonly max?: number;
  readonly displayName?: string;
  readonly noValue?: string;
  readonly color?: { readonly mode: string; readonly fixedColor?: string };
  readonly thresholds?: Thresholds;
  readonly mappings?: readonly {
    readonly type: string;
    readonly options: Readonly<Record<string, { readonly text?: string; readonly color?: string }>>;
  }[];
  readonly links?: readonly { readonly title: string; readonly url: string }[];
  readonly custom?: Readonly<Record<string, unknown>>;
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title?: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly options: Readonly<Record<string, unknown>>;
  readonly fieldConfig: {
    readonly defaults: FieldSettings;
    readonly overrides: readonly {
      readonly matcher: { readonly id: string; readonly options: string };
      readonly properties: readonly { readonly id: string; readonly value: unknown }[];
    }[];
  };
  readonly targets: readonly { readonly refId: string; readonly format: 0 | 1 }[];
}

export interface Board {
  readonly uid: string;
  readonly title: string;
  readonly description?: string;
  readonly panels: readonly Panel[];
  readonly time?: { readonly from: string; readonly to: string };
}

export interface Answer {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly (string | number | boolean | null)[])[];
}

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Variable {
  readonly name: string;
  readonly label: string;
  readonly description: string;
  readonly kind: 'one' | 'several' | 'text';
  readonly choices: readonly { readonly text: string; readonly value: string }[];
  readonly value: string | readonly string[];
}

export type Chosen = Readonly<Record<string, string | readonly string[]>>;

export interface Mark {
  readonly atMs: number;
  readonly color: string;
  readonly words: string;
}
