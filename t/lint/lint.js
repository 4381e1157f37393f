// node lint.js FILE...: lint OpenAPI descriptions by redocly.yaml and spectral.js, beside this file.
// Exit status: 0, or 1 with every fault and its place.
'use strict';

const fs = require('fs');
const path = require('path');
const { loadConfig, lint, formatProblems, getTotals } = require('@redocly/openapi-core');
const { version } = require('@redocly/openapi-core/package.json');
const { Document, Ruleset, Spectral } = require('@stoplight/spectral-core');
const { Yaml } = require('@stoplight/spectral-parsers');
const rules = require('./spectral.js');

async function spectral(file) {
	const linter = new Spectral();
	linter.setRuleset(new Ruleset(rules, { source: __filename }));
	const faults = await linter.run(new Document(fs.readFileSync(file, 'utf8'), Yaml, file));
	for (const fault of faults)
		console.error(`${file}:${fault.range.start.line + 1}: ${fault.code}: ${fault.message} (${fault.path.join('/')})`);
	return faults.length;
}

async function main(files) {
	const config = await loadConfig({ configPath: path.join(__dirname, 'redocly.yaml') });
	const problems = [];
	let faults = 0;

	for (const file of files) {
		problems.push(...await lint({ ref: path.resolve(file), config }));
		faults += await spectral(file);
	}
	if (files.length === 0)
		throw new Error('usage: node lint.js FILE...');
	if (problems.length > 0)
		formatProblems(problems, { format: 'codeframe', totals: getTotals(problems), version, maxProblems: 1000 });
	return problems.length + faults > 0 ? 1 : 0;
}

main(process.argv.slice(2)).then(
	(status) => { process.exitCode = status; },
	(error) => { console.error(`lint.js: ${error.message}`); process.exitCode = 1; },
);
