// Rules of make lint for docs/openapi.yaml: all of Spectral's own and of OWASP's (API Security Top 10, 2023), every finding an error.
// What is off, or holds for less than they say, has its reason here.
'use strict';

const { oas } = require('@stoplight/spectral-rulesets');
const owasp = require('@stoplight/spectral-owasp-ruleset');

/** The rule, for these parts of the document alone. */
const only = (rule, ...given) => ({ ...owasp.rules[rule], given });

// HEAD has no bodies, OPTIONS takes no key, and the probes outside /v1/ are nginx's own: their refusals are described as 4XX and 5XX.
const CALLS = ['get', 'post', 'put', 'patch'].map((method) => `$.paths[?(@property.match(/^\\/v1\\//))].${method}.responses`);
// A constant has its bounds, and so have a few to choose from.
const INTEGERS = '$..[?(@ && @.type=="integer" && @.const === undefined && @.enum === undefined)]';

module.exports = {
	extends: [[oas, 'all'], [owasp, 'all']],
	rules: {
		// -- Spectral's
		// It takes scopes for OAuth's alone.  OpenAPI 3.1 (4.8.30) lets the list of an API key name the roles that a call needs: `restricted`.
		'oas3-operation-security-defined': 'off',
		// Tags stand in the order in which the pages of the documentation are read.
		'openapi-tags-alphabetical': 'off',
		// Whom to ask is for whoever runs a gateway to say.
		'contact-properties': 'off',
		// The licence is named by its identifier, beside which OpenAPI 3.1 allows no address.
		'license-url': 'off',

		// -- OWASP's
		'owasp:api8:2023-define-error-responses-401': only('owasp:api8:2023-define-error-responses-401', ...CALLS),
		'owasp:api8:2023-define-error-responses-500': only('owasp:api8:2023-define-error-responses-500', ...CALLS),
		'owasp:api4:2023-rate-limit-responses-429': only('owasp:api4:2023-rate-limit-responses-429', ...CALLS),
		'owasp:api4:2023-integer-format': only('owasp:api4:2023-integer-format', INTEGERS),
		'owasp:api4:2023-integer-limit': only('owasp:api4:2023-integer-limit', INTEGERS),
		// All but the export of a guest, which is whole, however long.
		'owasp:api4:2023-array-limit': { ...only('owasp:api4:2023-array-limit', '$.paths..[?(@ && @.type=="array")]',
			'$.components.schemas[?(@property != "Export")]..[?(@ && @.type=="array")]', '$.components[parameters,headers,responses]..[?(@ && @.type=="array")]'),
			resolved: false },
		// Texts for people (details, subjects, reasons why a mail failed) have a length and no form.
		'owasp:api4:2023-string-restricted': 'off',
		// The gateway counts in leaky buckets, per key and per address: a number left that it could tell would be wrong at once.  429 has Retry-After.
		'owasp:api4:2023-rate-limit': 'off',
		// There is no CORS: a key belongs on a server, so no browser is to reach the API from another site (docs/api/guide.md).
		'owasp:api8:2023-define-cors-origin': 'off',
		// One scheme, two roles: points are adjusted outside /v1/admin/ with the role that everything there needs.  Tests ask every call with each key.
		'owasp:api5:2023-admin-security-unique': 'off',
		// The probes of load balancers have no key.  Of all else the document's `security` holds.
		'owasp:api2:2023-read-restricted': 'off',
		// Mails are numbered.  Only staff may ask for one, and they may list them all.
		'owasp:api1:2023-no-numeric-ids': 'off',
	},
};
