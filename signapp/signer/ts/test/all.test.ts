import "./corpus.test";
import "./pdfhole.test";
import "./vectors.test";
