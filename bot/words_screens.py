"""What lists, alerts and the Home tab say, in English and French."""

from __future__ import annotations

from typing import Final

SCREENS: Final[dict[str, tuple[str, str]]] = {
    # Budget approvals
    "card_funds": ("Budget to approve: {number} {label}", "Budget à valider : {number} {label}"),
    "amount": ("Amount", "Montant"),
    "from_budget": ("Budget", "Budget"),
    "left_then": ("Left after it", "Reste ensuite"),
    "over_budget": ("Beyond the budget", "Au-delà du budget"),
    "funds_line": (
        "Budget of {campaign}: {amount} from {budget}, asked by {by}",
        "Budget de {campaign} : {amount} sur {budget}, demandé par {by}",
    ),
    "funds_pending": ("waits", "en attente"),
    "funds_approved": ("Approved", "Validé"),
    "funds_refused": ("Rejected", "Refusé"),
    "funds_given_back": (
        "No longer wanted by its campaign",
        "N’est plus demandé par sa campagne",
    ),
    "funds_ended": ("{outcome}, {at}.", "{outcome}, {at}."),
    # Stock alerts
    "stock_low": (
        "Stock {stock}: *{label}* is down to {left} (alert level {level}); {order} on order.",
        (
            "Stock {stock} : *{label}* n’a plus que {left} (seuil d’alerte {level}) ;"
            " {order} en commande."
        ),
    ),
    "stock_back": (
        "*{label}* is above its alert level again: {left} in stock.",
        "*{label}* est repassé au-dessus de son seuil d’alerte : {left} en stock.",
    ),
    # Supervision
    "trouble_failed": (
        "The workflow {names} failed on {at} and stands still.",
        "Le workflow {names} est en échec depuis le {at} et ne fait plus rien.",
    ),
    "trouble_late": (
        "The service *{name}* gives no sign of life since {at}; with it: {names}.",
        "Le service *{name}* ne donne plus signe de vie depuis le {at} ; avec lui : {names}.",
    ),
    "trouble_failed_over": (
        "The workflow *{name}* works again.",
        "Le workflow *{name}* fonctionne à nouveau.",
    ),
    "trouble_late_over": (
        "The service *{name}* is back.",
        "Le service *{name}* est de retour.",
    ),
    # Lists
    "campaigns": ("Campaigns", "Campagnes"),
    "no_campaigns": (
        "There is no campaign yet. Make the first with `/campaign new`.",
        "Il n’y a pas encore de campagne. Créez la première avec `/campaign new`.",
    ),
    "next": ("Older", "Plus anciennes"),
    "previous": ("Newer", "Plus récentes"),
    "next_page": ("Next", "Suivants"),
    "previous_page": ("Previous", "Précédents"),
    "workflows": ("Technical workflows", "Workflows techniques"),
    "no_workflows": (
        "No technical workflow has reported yet: are the services running?",
        "Aucun workflow technique ne s’est encore annoncé : les services tournent-ils ?",
    ),
    "campaigns_wait": (
        "Campaigns that wait for it: {count}",
        "Campagnes qui l’attendent : {count}",
    ),
    "workflow_waits": ("Waits for {names}.", "Attend {names}."),
    "policy_stop": ("Stops at the first failure.", "S’arrête au premier échec."),
    "policy_ignore": (
        "Failures ignored in a row: up to {most}.",
        "Échecs consécutifs ignorés : {most} au plus.",
    ),
    "policy_used": (
        "Failures in a row: {count}; up to {most} are ignored.",
        "Échecs consécutifs : {count} ; jusqu’à {most} sont ignorés.",
    ),
    "stop_now_question": (
        (
            "Ends the step of *{name}* under way and undoes what it wrote; what left already is"
            " settled after a start. “Stop” would let the step finish."
        ),
        (
            "Interrompt l’étape en cours de *{name}* et annule ce qu’elle a écrit ; ce qui est déjà"
            " parti est réglé après un démarrage. « Arrêter » la laisserait finir."
        ),
    ),
    "stop_now_yes": ("End the step", "Interrompre"),
    "late": ("late", "en retard"),
    "silent": ("no sign of life since {at}", "aucun signe de vie depuis {at}"),
    "last_run": ("last run {at}", "dernière exécution {at}"),
    "never_ran": ("has not run yet", "n’a pas encore tourné"),
    "dates": ("Dates", "Dates"),
    "waves": ("Waves", "Vagues"),
    "waves_open": ("{opened} of {total} open", "{opened} sur {total} ouvertes"),
    "manager": ("Managed by", "Gérée par"),
    "sums_by_date": (
        "Each date has a campaign of its own, with its results.",
        "Chaque date a sa propre campagne, avec ses résultats.",
    ),
    "targeted": ("Targeted", "Éléments ciblés"),
    "messages": ("Messages", "Messages"),
    "messages_line": (
        (
            "{sent} sent + {failed} failed + {ignored} ignored{pressed} + {ambiguous} ambiguous"
            " + {pending} pending = {total}"
        ),
        (
            "{sent} envoyés + {failed} en échec + {ignored} ignorés{pressed} + {ambiguous}"
            " ambigus + {pending} en attente = {total}"
        ),
    ),
    "control_group": ("Control group", "Groupe témoin"),
    "get_nothing": ("{count} get nothing", "{count} ne reçoivent rien"),
    "over_pressure": (" ({count} over pressure)", " (dont {count} pour pression)"),
    "actions": ("Actions", "Actions"),
    "actions_line": (
        (
            "{waiting} waiting + {suspended} suspended + {executed} executed + {finished} finished"
            " + {cancelled} cancelled = {total}"
        ),
        (
            "{waiting} en attente + {suspended} suspendues + {executed} exécutées"
            " + {finished} terminées + {cancelled} annulées = {total}"
        ),
    ),
    "others": ("Also", "Aussi"),
    "others_line": (
        "{deals} deals, {items} dossier items, {extracted} rows extracted",
        "{deals} affaires, {items} pièces de dossier, {extracted} lignes extraites",
    ),
    "progress": ("Progress", "Avancement"),
    "waiting_for": ("Waiting: {what}", "En attente : {what}"),
    "start_it": ("Start {name}", "Démarrer {name}"),
    "waits": ("{campaign} {what}.", "{campaign} : {what}."),
    "waits_no_more": (
        "{campaign} no longer waits for {name}.",
        "{campaign} n’attend plus {name}.",
    ),
    "finished": ("{campaign} is finished.", "{campaign} est terminée."),
    "as_of": ("as of {at}", "au {at}"),
    "no_such_campaigns": (
        "No campaign is like that. Choose another state, or show all.",
        "Aucune campagne ne correspond. Choisissez un autre état, ou affichez tout.",
    ),
    "any_state": ("Any state", "Tous les états"),
    "state": ("State", "État"),
    "show_mine": ("Only mine", "Les miennes"),
    "show_all": ("Everybody’s", "Celles de tous"),
    "without_words": ("Forget “{words}”", "Oublier « {words} »"),
    "details": ("Details", "Détails"),
    # The Home tab
    "refresh": ("Refresh", "Actualiser"),
    "see_all": ("See all", "Tout voir"),
    "home_waiting": ("Waits for me: {count}", "Attend ma réponse : {count}"),
    "home_nothing_waits": (
        "Nothing waits for your answer.",
        "Rien n’attend votre réponse.",
    ),
    "home_campaigns": ("My campaigns", "Mes campagnes"),
    "home_no_campaigns": (
        "None is under way. Make one with `/campaign new`.",
        "Aucune n’est en cours. Créez-en une avec `/campaign new`.",
    ),
    "home_alerts": ("Alerts", "Alertes"),
    "home_no_alerts": (
        "No campaign is stuck, no stock is short, no budget is used up.",
        "Aucune campagne bloquée, aucun stock bas, aucun budget épuisé.",
    ),
    "home_well": ("{well} of {all} are well", "{well} sur {all} vont bien"),
    # Approvals
    "approvals_mine": ("For me", "Pour moi"),
    "approvals_waiting": ("All that wait", "Toutes en attente"),
    "approvals_overdue": ("Overdue", "En retard"),
    "no_approvals_mine": (
        "Nothing waits for your answer, and nothing you asked for waits.",
        "Rien n’attend votre réponse, et rien de ce que vous avez demandé n’attend.",
    ),
    "no_approvals_waiting": ("No approval waits.", "Aucune validation n’attend."),
    "no_approvals_overdue": (
        "No campaign waits for an answer whose time has passed.",
        "Aucune campagne n’attend une réponse dont le délai est passé.",
    ),
    "approvals_help": (
        (
            "I do not know “{words}”. Write `/approvals`, `/approvals waiting` or"
            " `/approvals overdue`."
        ),
        (
            "Je ne connais pas « {words} ». Écrivez `/approvals`, `/approvals attente` ou"
            " `/approvals retard`."
        ),
    ),
    "open_card": ("Open", "Ouvrir"),
    "kind_proof": ("Proof of {campaign}", "BAT de {campaign}"),
    "kind_external_content": (
        "External content of {campaign}",
        "Contenu externe de {campaign}",
    ),
    "kind_extraction_file": ("File of {campaign}", "Fichier de {campaign}"),
    "kind_router_proof": ("Router's proof of {campaign}", "BAT du routeur de {campaign}"),
    "kind_start": ("Start of {campaign}", "Démarrage de {campaign}"),
    "kind_target": ("Target of {campaign}", "Cible de {campaign}"),
    "asked_line": ("asked by {by}, {count} recipients", "demandée par {by}, {count} destinataires"),
    "overdue_since": ("overdue since {at}", "en retard depuis le {at}"),
    "left_until": ("{left} left (until {at})", "il reste {left} (jusqu’au {at})"),
    # Money and goods
    "budget_list": ("Budgets", "Budgets"),
    "no_budget": (
        "There is no budget yet: the API makes one (`POST /api/v1/budget/budgets`).",
        "Il n’y a pas encore de budget : l’API en crée un (`/api/v1/budget`).",
    ),
    "no_such_budget": ("No budget is called “{words}”.", "Aucun budget ne s’appelle « {words} »."),
    "budget_line": (
        "{allocated} allocated − {taken} = {left} left",
        "{allocated} alloués − {taken} = {left} restants",
    ),
    "budget_planned": ("{amount} only planned", "{amount} seulement planifiés"),
    "budget_reserved": ("{amount} reserved", "{amount} réservés"),
    "budget_committed": ("{amount} committed", "{amount} engagés"),
    "budget_spent": ("{amount} spent", "{amount} dépensés"),
    "budget_invoiced": ("{amount} invoiced", "{amount} facturés"),
    "stock_list": ("Stock", "Stock"),
    "no_stock": (
        "There is no stock line yet: the API makes one (`POST /api/v1/stock/lines`).",
        "Il n’y a pas encore de ligne de stock : l’API en crée une (`/api/v1/stock`).",
    ),
    "no_such_stock": (
        "No stock line is called “{words}”.",
        "Aucune ligne de stock ne s’appelle « {words} ».",
    ),
    "stock_line": (
        (
            "{in_stock} in stock − {reserved} reserved = {free} free · {on_order} on order · alert"
            " at {alert}"
        ),
        (
            "{in_stock} en stock − {reserved} réservés = {free} libres · {on_order} en commande ·"
            " alerte à {alert}"
        ),
    ),
}
