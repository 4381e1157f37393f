// node dashboard.js FILE...: hold dashboards against the types that Grafana publishes (@grafana/schema).
//
// Each panel is checked as one of its kind, with the options of that kind; a member that the types do not have is a fault.
// Exit status: 0, or 1 with every fault.
'use strict';

const fs = require('fs');
const path = require('path');
const ts = require('typescript');

const KINDS = ['stat', 'table', 'timeseries'];
const folder = (kind) => `@grafana/schema/dist/esm/raw/composable/${kind}/panelcfg/x/${{ stat: 'Stat', table: 'Table', timeseries: 'TimeSeries' }[kind]}PanelCfg_types.gen`;
const OPTIONS = {
	compilerOptions: { strict: true, noEmit: true, skipLibCheck: true, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler,
		target: ts.ScriptTarget.ESNext, lib: ['lib.esnext.d.ts'], types: [] },
};

/** The dashboard as TypeScript: itself without its panels, then each of these, a constant each. */
function source(dashboard) {
	const { panels, ...rest } = dashboard;
	return ["import type { Dashboard, DataQuery, Panel } from '@grafana/schema';",
		...KINDS.map((kind) => `import type { Options as ${kind} } from '${folder(kind)}';`),
		'type Query = DataQuery & { expr: string; legendFormat: string; instant?: boolean; range?: boolean; format?: "table" | "time_series" };',
		"type Of<Kind> = Omit<Panel, 'options' | 'targets'> & { options?: { [K in keyof Kind]?: Partial<Kind[K]> }; targets: Query[] };",
		`export const dashboard: Omit<Dashboard, 'panels'> = ${JSON.stringify(rest)};`,
		...panels.map((panel, i) => `export const panel_${i}: Of<${panel.type}> = ${JSON.stringify(panel)};`)].join('\n');
}

function faults(file) {
	const dashboard = JSON.parse(fs.readFileSync(file, 'utf8'));
	const others = dashboard.panels.filter((panel) => !KINDS.includes(panel.type));
	if (others.length > 0)
		return others.map((panel) => `${file}: ${panel.type}: no kind of panel that is known here`);
	const name = path.join(__dirname, 'dashboard.ts'); // only ever in memory
	const text = source(dashboard);
	const host = ts.createCompilerHost(OPTIONS.compilerOptions);
	const { readFile, fileExists } = host;
	host.fileExists = (at) => at === name || fileExists(at);
	host.readFile = (at) => at === name ? text : readFile(at);
	host.getSourceFile = (at, version) => {
		const read = host.readFile(at);
		// JSON has the values of an enumeration, not its names.
		return read === undefined ? undefined : ts.createSourceFile(at, !at.includes('@grafana') ? read : read.replace(/export declare enum (\w+) \{([^}]*)\}/g,
			(_, of, body) => `export type ${of} = ${[...body.replace(/\/\*.*?\*\//gs, '').matchAll(/= ("[^"]*"|-?\d+)/g)].map((found) => found[1]).join(' | ')};`), version);
	};
	return ts.getPreEmitDiagnostics(ts.createProgram([name], OPTIONS.compilerOptions, host)).map((fault) => {
		const line = fault.file && fault.file.fileName === name ? text.slice(0, fault.start).split('\n').pop().match(/^export const (\w+)/) : null;
		return `${file}: ${line ? line[1] : fault.file ? fault.file.fileName : ''}: ${ts.flattenDiagnosticMessageText(fault.messageText, '\n  ')}`;
	});
}

const found = process.argv.slice(2).flatMap(faults);
found.forEach((fault) => console.error(fault));
process.exitCode = found.length > 0 ? 1 : 0;
