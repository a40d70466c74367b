"""First names, family names and job titles, in French and English."""

from typing import Final

FIRST_NAMES: Final = {
    "fr": (
        "Marie", "Éloïse", "François", "Benoît", "Jérôme", "Hélène", "Anaïs", "Loïc", "Maëlle",
        "Zoé", "Noël", "Chloé", "Théo", "Léa", "Émile", "Élodie", "Cécile", "Frédéric", "Stéphane",
        "Gaël", "Raphaël", "Joël", "Agnès", "Inès", "Irène", "Sébastien", "Grégoire", "Mélanie",
        "Aurélie", "Valérie", "Véronique", "Séverine", "Gérard", "Hervé", "André", "René", "Aimé",
        "Étienne", "Timothée", "Clémence", "Jean-Baptiste", "Marie-Hélène", "Jean-François",
        "Anne-Laure", "Camille", "Julien", "Nicolas", "Claire", "Sophie", "Isabelle", "Laurent",
        "Olivier", "Pascal", "Nadia", "Karim", "Fatou", "Mehdi", "Thi-Lan", "Yann", "Solène",
    ),
    "en": (
        "Alice", "Oliver", "Charlotte", "James", "Emily", "George", "Siân", "Zoë", "Chloë", "Seán",
        "Aoife", "Niamh", "Róisín", "Ciarán", "Eoin", "Gráinne", "Harriet", "Thomas", "William",
        "Grace", "Amelia", "Jack", "Isla", "Harry", "Freya", "Callum", "Fiona", "Angus", "Morag",
        "Rhys", "Bronwen", "Gareth", "Priya", "Arjun", "Amara", "Kwame", "Mei", "Daniel", "Rachel",
        "Hannah", "Matthew", "Laura", "Andrew", "Rebecca", "Simon", "Victoria", "Edward",
        "Margaret", "Patrick", "Kathleen", "Liam", "Megan", "Owen", "Sinéad", "Dylan", "Beatrice",
        "Noor", "Imran", "Anne-Marie", "Jonathan",
    ),
}  # fmt: skip

LAST_NAMES: Final = {
    "fr": (
        "Durand", "Lefèvre", "Bérenger", "Gauthier", "Muller", "Château", "Prévost", "Hébert",
        "Lévêque", "Béranger", "Mercier", "Fournier", "Girard", "Bonnet", "Dupré", "Rémy", "Noël",
        "Guérin", "Périer", "Barthélemy", "Le Goff", "Le Gall", "Kerouédan", "D'Almeida", "Daoudi",
        "De La Tour", "N'Diaye", "Benali", "Traoré", "Nguyen", "Étchegaray", "Lacaze", "Sauvêtre",
        "Crépin", "Besançon", "Fabre", "Œuvrard", "Lœuillet", "Alençon", "Garçon", "Maçon",
        "Gonçalves",
        "Roussel", "Tessier", "Vasseur", "Charpentier", "Chevalier", "Delaunay", "Meunier",
        "Perrin",
        "Marchand", "Blanchard", "Joly", "Rivière", "Brémond", "Désormeaux", "Lachaîne", "Côté",
        "Bélanger", "Gagné", "Lemaître", "Benoît", "Saint-Étienne", "Martin", "Petit", "Moreau",
        "Lambert", "Faure", "Rousseau", "Leclère",
    ),
    "en": (
        "Hartley", "O'Brien", "O'Sullivan", "MacGregor", "McAllister", "Llewellyn", "Brontë",
        "Ashworth", "Whitfield", "Blackwood", "Pemberton", "Thornton", "Fairclough", "Hughes",
        "Patel", "Singh", "Okafor", "Adeyemi", "Chowdhury", "Chen", "Fitzgerald", "Kavanagh",
        "Ó Briain", "Ní Dhomhnaill", "Gallagher", "Doyle", "Byrne", "Walsh", "Campbell", "Stewart",
        "Robertson", "Fraser", "Sinclair", "Armstrong", "Bennett", "Carter", "Dawson", "Ellis",
        "Foster", "Graham", "Harrison", "Ingram", "Jennings", "Kendall", "Lawson", "Marsh",
        "Norris", "Osborne", "Parsons", "Quinn", "Radcliffe", "Saunders", "Turner", "Underwood",
        "Vaughan", "Watts", "Yates", "Smythe-Jones", "Cooper", "Baker", "Wright", "Hall", "Green",
        "Martin", "Clarke", "Evans", "Morgan", "Price", "Reid", "Shaw",
    ),
}  # fmt: skip

JOB_TITLES: Final = {
    "fr": (
        "Directrice générale", "Gérant", "Responsable des achats", "Acheteuse",
        "Directeur financier",
        "Responsable marketing", "Chargée de communication", "Directeur technique",
        "Responsable de la maintenance", "Chef d'atelier", "Assistante de direction",
        "Responsable qualité", "Directrice des ressources humaines", "Responsable logistique",
        "Comptable", "Chef de projet", "Directeur des systèmes d'information",
        "Ingénieure méthodes",
        "Responsable de l'énergie", "Conducteur de travaux",
    ),
    "en": (
        "Managing Director", "Owner", "Purchasing Manager", "Buyer", "Finance Director",
        "Marketing Manager", "Communications Officer", "Technical Director", "Maintenance Manager",
        "Workshop Supervisor", "Executive Assistant", "Quality Manager", "HR Director",
        "Logistics Manager", "Accountant", "Project Manager", "Chief Information Officer",
        "Methods Engineer", "Energy Manager", "Site Manager",
    ),
}  # fmt: skip
