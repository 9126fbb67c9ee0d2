/** Golden texts: what the backend of Grafana's ClickHouse plugin 4.20 makes of its macros, and Grafana of variables. */
import { describe, expect, test } from 'vitest';
import { expandMacros, expandVariables } from './expand.ts';
import { intervalOf } from './interval.ts';

const range = { fromMs: 1_415_792_726_371, toMs: 1_447_328_726_371, intervalMs: 20_000 };

describe('macros', () => {
  test.each([
    ['x > $__fromTime', 'x > toDateTime(1415792726)'],
    ['x < $__toTime', 'x < toDateTime(1447328726)'],
    ['$__fromTime_ms', 'fromUnixTimestamp64Milli(1415792726371)'],
    ['$__toTime_ms', 'fromUnixTimestamp64Milli(1447328726371)'],
    ['WHERE $__timeFilter(at)', 'WHERE at >= toDateTime(1415792726) AND at <= toDateTime(1447328726)'],
    [
      '$__timeFilter_ms(at)',
      'at >= fromUnixTimestamp64Milli(1415792726371) AND at <= fromUnixTimestamp64Milli(1447328726371)',
    ],
    ['$__dateFilter(day)', "day >= toDate('2014-11-12') AND day <= toDate('2015-11-12')"],
    [
      '$__dateTimeFilter(day, at)',
      "(day >= toDate('2014-11-12') AND day <= toDate('2015-11-12')) AND (at >= toDateTime(1415792726) AND at <= toDateTime(1447328726))",
    ],
    [
      '$__dt(day, at)',
      "(day >= toDate('2014-11-12') AND day <= toDate('2015-11-12')) AND (at >= toDateTime(1415792726) AND at <= toDateTime(1447328726))",
    ],
    ['$__timeInterval(at)', 'toStartOfInterval(toDateTime(at), INTERVAL 20 second)'],
    ['$__timeInterval_ms(at)', 'toStartOfInterval(toDateTime64(at, 3), INTERVAL 20000 millisecond)'],
    ['INTERVAL $__interval_s SECOND', 'INTERVAL 20 SECOND'],
    [
      '$__timeFilter(toDateTime(a, b))',
      'toDateTime(a, b) >= toDateTime(1415792726) AND toDateTime(a, b) <= toDateTime(1447328726)',
    ],
    ['f($__fromTime) + ($__toTime)', 'f(toDateTime(1415792726)) + (toDateTime(1447328726))'],
    ['$__interval_s($__interval_s())', '20(20)'],
  ])('%s', (sql, expanded) => {
    expect(expandMacros(sql, range)).toBe(expanded);
  });

  test('an interval is one second at least', () => {
    expect(expandMacros('$__interval_s $__timeInterval(at)', { ...range, intervalMs: 200 })).toBe(
      '1 toStartOfInterval(toDateTime(at), INTERVAL 1 second)',
    );
  });

  test.each([['$__timeGroup(at)'], ['$__timeFilter'], ['$__timeFilter(a, b)'], ['$__dt(a)'], ['$__timeFilter(a']])(
    'refuses %s',
    (sql) => {
      expect(() => expandMacros(sql, range)).toThrow(RangeError);
    },
  );
});

describe('variables', () => {
  const values = new Map<string, string | readonly string[]>([
    ['database', 'mesh'],
    ['policy', ['25-of-100', "o'brien"]],
    ['none', []],
  ]);

  test.each([
    ['${database}.peers', 'mesh.peers'],
    ['$database.peers', 'mesh.peers'],
    ['has([${policy:sqlstring}], p)', "has(['25-of-100','o''brien'], p)"],
    ['has([${database:sqlstring}], p)', "has(['mesh'], p)"],
    ['has([${none:sqlstring}], p)', 'has([], p)'],
    ['IN ($policy)', "IN ('25-of-100','o'brien')"],
    ['${database:raw}', 'mesh'],
    ['$__fromTime ${__interval}', '$__fromTime ${__interval}'],
  ])('%s', (sql, expanded) => {
    expect(expandVariables(sql, values)).toBe(expanded);
  });

  test('refuses a variable that is not there, and a format that the dashboards do not use', () => {
    expect(() => expandVariables('${other}', values)).toThrow('no value for the variable other');
    expect(() => expandVariables('${database:glob}', values)).toThrow('glob');
  });
});

test('points are as wide as Grafana makes them', () => {
  const hour = 3_600_000;
  expect([0.25, 6, 24, 7 * 24, 30 * 24, 365 * 24].map((hours) => intervalOf(hours * hour, 300, '10s') / 1000)).toEqual([
    10, 60, 300, 1800, 7200, 86_400,
  ]);
});
