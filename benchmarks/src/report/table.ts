import type { Machine } from '../machine.js';
import type { Options } from '../options.js';
import type { WorkloadResult } from '../run-workload.js';
import { type Spread, spread } from '../statistics.js';
import type { Comparison } from '../workload.js';
import { judge, type Judged, type Verdict } from './judge.js';

const VERDICTS: Readonly<Record<Verdict, string>> = {
  star: '★ reached',
  holds: 'M holds',
  missed: '**below M**',
  'no goal': '–',
  'not measured': 'not measured',
};

/** Everything of a run, as Markdown. */
export function toMarkdown(machine: Machine, options: Options, results: readonly WorkloadResult[]): string {
  return [
    `# Benchmark of ${machine.date.slice(0, 10)}, commit ${machine.commit}${machine.dirty ? ' with changes' : ''}`,
    machineText(machine, options),
    '## Goals',
    goalTable(results),
    ...results.flatMap((result) => [`## ${result.workload.id}: ${result.workload.title}`, ...workloadText(result)]),
  ].join('\n\n');
}

function machineText(machine: Machine, { quick, rounds, scale }: Options): string {
  const { cores, cpu, kernel, loadBefore, memoryGib, node, peers, redis } = machine;
  const versions = Object.entries(peers).map(([name, version]) => `${name}: ${version}`);
  return [
    ...(quick || scale !== 1
      ? [
          `**${quick ? 'Quick run' : 'Scaled run'}: ${scale} of the jobs, ${rounds} rounds. A look, not a measurement.**`,
        ]
      : []),
    `${cpu}, ${cores} cores, ${memoryGib} GiB · kernel ${kernel} · Node ${node} · Redis ${redis}, appendonly everysec`,
    `peers: ${versions.join(', ')}`,
    `${machine.date} · load before the first round: ${loadBefore.toFixed(2)} · rounds: ${rounds}, in turn, of what takes minutes no more than three`,
  ].join('  \n');
}

function goalTable(results: readonly WorkloadResult[]): string {
  const rows = results.flatMap((result) => judge(result).map((judged) => goalRow(judged)));
  return table(['goal', 'what', 'median', 'least – most', 'M', '★', 'verdict'], rows);
}

function goalRow({ comparison, found, verdict }: Judged): string[] {
  const { goal, title } = comparison;
  const unit = comparison.to === undefined ? '' : '×';
  return [
    goal === '' ? '–' : goal,
    title,
    found === undefined ? '–' : `${number(found.median)}${unit}`,
    found === undefined ? '–' : `${number(found.least)} – ${number(found.most)}`,
    bound(comparison, comparison.must),
    bound(comparison, comparison.star),
    VERDICTS[verdict],
  ];
}

function bound({ better }: Comparison, value: number | undefined): string {
  return value === undefined ? '–' : `${better === 'more' ? '≥' : '≤'} ${value}`;
}

function workloadText({ workload, rounds, missing, notes, failed }: WorkloadResult): string[] {
  const rows = workload.participants.flatMap(({ id, title }) => {
    const own = rounds.filter(({ participant }) => participant === id).map(({ figures }) => figures);
    const names = [...new Set(own.flatMap((figures) => Object.keys(figures)))];
    return names.map((name, index) => {
      const found = spread(own.flatMap((figures) => figures[name] ?? []));
      return [index === 0 ? title : '', figureTitle(name), number(found.median), range(found)];
    });
  });
  return [
    ...(failed === undefined ? [] : [`**FAILED: ${failed.split('\n')[0]}** What is below does not count.`]),
    table(['who', 'figure', 'median', 'least – most'], rows),
    ...Object.entries(missing).map(([id, why]) => `Not measured: ${id}: ${why}.`),
    ...notes,
  ];
}

/** `drainPerSecond` → drain, jobs/s · `schedulerUs` → scheduler, µs/job · `startP50Ms` → start p50, ms */
function figureTitle(name: string): string {
  const words = name.replaceAll(/([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`);
  return words
    .replace(/ ?per second$/, ', jobs/s')
    .replace(/^,/, 'rate,')
    .replace(/ beat us$/, ' CPU, µs/heartbeat')
    .replace(/ call us$/, ' Redis CPU, µs/call')
    .replace(/ us$/, ' CPU, µs/job')
    .replace(/ percent$/, ' CPU, % of a core')
    .replace(/ worker kib$/, ' memory, KiB/worker')
    .replace(/ bytes$/, ', bytes/job')
    .replace(/ mib per minute$/, ' growth, MiB/min')
    .replace(/ ms$/, ', ms')
    .replace(/ mib$/, ' memory, MiB');
}

function range({ least, most }: Spread): string {
  return `${number(least)} – ${number(most)}`;
}

function number(value: number): string {
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
