<?php
// A CRM that only answers POSTs: ctigate asks, and each answer is one message. No extension, no library.
//
//     php -S 127.0.0.1:8080 crm.php
//
// POST /hook.php is for ctigate; GET /?user=ivanov is the page of a manager, with the forms that are open for him.

declare(strict_types=1);

const LOGIN = 'crm';
define('PASSWORD', getenv('CRM_PASSWORD') ?: 'secret');
const SELF = ['type' => 'crm', 'name' => 'PHP CRM', 'version' => '1.0'];
const PRESENT_S = 15; // a manager's page asks every 3 s; silent for longer, he is gone

if ($_SERVER['REQUEST_METHOD'] === 'GET') {
    page((string) ($_GET['user'] ?? ''));
} elseif (isset($_POST['formid'])) {
    answered($_POST);
} else {
    hook();
}

/** What ctigate posts: `data` is the base64 of one message, or of several in an array. */
function hook(): void
{
    $given = [$_SERVER['PHP_AUTH_USER'] ?? '', $_SERVER['PHP_AUTH_PW'] ?? ''];
    if (!hash_equals(LOGIN . "\0" . PASSWORD, implode("\0", $given))) {
        header('WWW-Authenticate: Basic realm="crm"');
        http_response_code(401);
        return;
    }
    $message = json_decode(base64_decode($_POST['data'] ?? '', true) ?: '', true);
    if (($_POST['format'] ?? '') !== 'json' || !is_array($message)) {
        http_response_code(400);
        return;
    }
    $messages = is_array($message[0] ?? null) ? $message : [$message];
    $answers = [];
    foreach ($messages as [$name, $body]) {
        array_push($answers, ...handle($name, $body));
    }
    if (!$answers) {
        http_response_code(204);
        return;
    }
    header('Content-Type: application/json; charset=utf-8');
    echo json_encode(count($answers) === 1 ? $answers[0] : $answers, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES);
}

/** The messages that answer one message. */
function handle(string $name, array $body): array
{
    $reply = fn (string $as, array $fields) => [[$as, ['qid' => $body['qid'] ?? null] + $fields]];
    switch ($name) {
        case 'ping':
            return [['pong', $body]];
        case 'whoareyou':
            return $reply('iam', SELF);
        case 'getavailablemethods':
            return $reply('availablemethods', ['result' => 1, 'methods' => [data('contract.json')['methods'][0]]]);
        case 'getavailableforms':
            return $reply('availableforms', ['result' => 1, 'forms' => data('contract.json')['forms']]);
        case 'getactiveusers':
            return $reply('activeusers', ['users' => state(fn (array &$state) => present($state))]);
        case 'executemethod':
            return $reply('methodresult', ['executionid' => $body['executionid']] + run($body));
        case 'showform':
            state(function (array &$state) use ($body) { $state['forms'][$body['formid']] = $body; });
            return $reply('showformresult', ['result' => 1]);
        case 'closeform':
            state(function (array &$state) use ($body) { unset($state['forms'][$body['formid']]); });
            return [];
        case 'poll': // what has gathered since: answers of managers, and who has come or gone
            return state(function (array &$state) {
                $users = present($state);
                $news = $state['answers'];
                if ($users !== $state['told']) {
                    $news[] = ['activeusers', ['users' => $users]];
                }
                $state['told'] = $users;
                $state['answers'] = [];
                return $news;
            });
        default: // replies and events that we do not use
            return [];
    }
}

function run(array $body): array
{
    if ($body['name'] !== 'FindClient') {
        return ['result' => 0, 'error' => 59001, 'errormsg' => 'Unknown method', 'outputparameters' => new stdClass()];
    }
    $nobody = ['clientid' => '', 'name' => '', 'manager' => '', 'vip' => false];
    $found = array_column(data('clients.json'), null, 'phone')[$body['inputparameters']['phone'] ?? ''] ?? $nobody;
    return ['result' => 1, 'outputparameters' => array_intersect_key($found, $nobody)];
}

/** What the examples share: the declarations, as they go over the wire, and the clients. */
function data(string $file): array
{
    return json_decode(file_get_contents(__DIR__ . "/../$file"), true, flags: JSON_THROW_ON_ERROR);
}

/** A manager has answered: ctigate learns it at its next poll. */
function answered(array $post): void
{
    state(function (array &$state) use ($post) {
        $form = $state['forms'][$post['formid']] ?? null;
        unset($state['forms'][$post['formid']]);
        if ($form) {
            $state['answers'][] = ['formresult', [
                'qid' => bin2hex(random_bytes(8)), 'formid' => $form['formid'], 'userid' => $form['userid'],
                'outputparameters' => ['resultcode' => (string) ($post['resultcode'] ?? '')],
                'comment' => (string) ($post['comment'] ?? ''),
            ]];
        }
    });
    header('Location: /?user=' . rawurlencode((string) ($post['user'] ?? '')), true, 303);
}

function present(array $state): array
{
    $here = array_filter($state['seen'], fn (int $at) => $at > time() - PRESENT_S);
    return array_map(fn ($login) => ['userlogin' => (string) $login, 'userid' => '', 'type' => 'page'], array_keys($here));
}

function page(string $user): void
{
    $text = fn ($value) => htmlspecialchars(is_bool($value) ? ($value ? 'yes' : 'no') : (string) $value, ENT_QUOTES);
    $forms = state(function (array &$state) use ($user) {
        $state['seen'][$user] = time();
        return array_filter($state['forms'], fn (array $form) => $form['userlogin'] === $user);
    });
    header('Content-Security-Policy: default-src \'none\'; form-action \'self\'');
    echo '<!doctype html><meta charset="utf-8"><title>PHP CRM</title>', $forms ? '' : '<meta http-equiv="refresh" content="3">';
    echo '<h1>', $text($user ?: 'add ?user=login to the address'), '</h1>', $forms ? '' : '<p>No form is open.</p>';
    foreach ($forms as $form) {
        echo '<form method="post"><h2>', $text($form['name']), '</h2><dl>';
        foreach ($form['inputparameters'] as $name => $value) {
            echo '<dt>', $text($name), '</dt><dd>', $text(is_scalar($value) ? $value : json_encode($value)), '</dd>';
        }
        echo '</dl><input type="hidden" name="formid" value="', $text($form['formid']), '"><input type="hidden" name="user" value="', $text($user), '">';
        echo '<p><input name="resultcode" placeholder="result"> <input name="comment" placeholder="comment"> <button>Save</button></form>';
    }
}

/** Reads and writes what the CRM remembers, one request at a time. */
function state(callable $change): mixed
{
    $file = fopen(sys_get_temp_dir() . '/ctigate-php-crm.json', 'c+');
    flock($file, LOCK_EX);
    $state = json_decode(stream_get_contents($file), true) ?? ['forms' => [], 'answers' => [], 'seen' => [], 'told' => []];
    $given = $change($state);
    ftruncate($file, 0);
    rewind($file);
    fwrite($file, json_encode($state));
    fclose($file);
    return $given;
}
