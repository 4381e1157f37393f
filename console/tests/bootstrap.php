<?php

declare(strict_types=1);

require dirname(__DIR__) . '/src/load.php';

Loyalty\Console\Words::speak('en', Loyalty\Console\Language::words(dirname(__DIR__), 'en'), 'UTC');
