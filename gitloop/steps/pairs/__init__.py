"""`gitloop pairs`: build, label, agree, export, evaluate, doctor."""
