// node lint.js FILE...: lint OpenAPI descriptions by redocly.yaml, beside this file.
// Exit status: 0, or 1 with every fault and its place.
'use strict';

const path = require('path');
const { loadConfig, lint, formatProblems, getTotals } = require('@redocly/openapi-core');
const { version } = require('@redocly/openapi-core/package.json');

async function main(files) {
	const config = await loadConfig({ configPath: path.join(__dirname, 'redocly.yaml') });
	const problems = [];

	for (const file of files)
		problems.push(...await lint({ ref: path.resolve(file), config }));
	if (files.length === 0)
		throw new Error('usage: node lint.js FILE...');
	if (problems.length > 0)
		formatProblems(problems, { format: 'codeframe', totals: getTotals(problems), version, maxProblems: 1000 });
	return problems.length > 0 ? 1 : 0;
}

main(process.argv.slice(2)).then(
	(status) => { process.exitCode = status; },
	(error) => { console.error(`lint.js: ${error.message}`); process.exitCode = 1; },
);
